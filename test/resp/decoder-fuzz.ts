// Hostile bytes for the decoder and for the scanner of replies, guided by what they make the code do.
//
// A stream that has led somewhere new (a block of code, a kind of outcome) joins the corpus and is changed further. What must hold for every
// stream, whatever is in it:
//
//   - no exception, and no memory of the client's choosing: what is held is bounded by what has come
//   - cut into packets anywhere, it means the same (short ones: at every byte; all: in pieces and at random places)
//   - where redis-parser finds whole arrays of bulk strings as well, they are the same
//   - the look ahead (peek.ts) names keys that the decoder then finds
//   - a small limit refuses: an argument, a request before authentication, what is held
//   - the scanner's answer about a stream is its answer about every longer one, and it agrees with the reader of replies in test/harness
//
// Everything comes from one seed. A find is made shorter before it is told.

import { Spans } from '../../src/base/spans.ts'
import { peekKeys } from '../../src/resp/peek.ts'
import {
  MAX_LINE_BYTES,
  MAX_UNAUTHENTICATED_ARGUMENTS,
  MAX_UNAUTHENTICATED_BULK_BYTES,
} from '../../src/resp/request.ts'
import { INCOMPLETE, MALFORMED, replyEnd } from '../../src/resp/scan.ts'
import { type Random, randomFrom } from '../harness/random.ts'
import { parseReply } from '../harness/resp.ts'
import { Coverage } from './coverage.ts'
import { cutAt, type DecodeOptions, decode, latin1, type Outcome, pieces } from './decode.ts'
import { readReplies } from './redis-parser.ts'

const MIB = 1024 * 1024
/** What a place in the list of arguments may cost, spare ones too. */
const PLACE_BYTES = 56
/** Streams up to this length are cut at every byte. */
const CUT_EVERYWHERE_BYTES = 48
const BATCH = 32
const LONGEST_BYTES = 400
/** Of those that begin with a very long line. */
const LONGEST_LINE_BYTES = MAX_LINE_BYTES + 200

export interface DecoderFuzz {
  readonly runs: number
  readonly seed: number
  /** Told now and then. */
  progress?(line: string): void
}

export interface DecoderFuzzed {
  readonly runs: number
  readonly corpus: number
  /** Blocks of the decoder's code gone through, and kinds of outcomes. */
  readonly places: number
  /** What went wrong, as a stream and what broke; the run stops at ten. */
  readonly finds: readonly { readonly stream: string; readonly problem: string }[]
}

const seeds = [
  '*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nhello\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n',
  '*2\r\n$4\r\nECHO\r\n$8\r\n\r\n$1\r\n\0\xff\r\n',
  `*12\r\n${'$1\r\na\r\n'.repeat(12)}PING\r\n`,
  `*2\r\n$4\r\nECHO\r\n$100\r\n${'y'.repeat(100)}\r\n`,
  '*0\r\n*-1\r\nPING\r\n\r\n \t SET  "a b" \'c\' "\\x41\\n"\r\n',
  '+OK\r\n:1\r\n$-1\r\n*2\r\n,1.5\r\n#t\r\n_\r\n%1\r\n+a\r\n~1\r\n(12\r\n|1\r\n+k\r\n+v\r\n>1\r\n=5\r\ntxt:a\r\n!3\r\nERR\r\n',
]

const tokens = [
  ...['*1\r\n', '*2\r\n', '*3\r\n', '*10\r\n', '*11\r\n', '*-1\r\n', '*0\r\n', '*1048576\r\n', '*1048577\r\n', '*9\rX'],
  ...[
    '$0\r\n\r\n',
    '$1\r\na\r\n',
    '$3\r\nGET\r\n',
    '$3\r\nabcXY',
    '$-1\r\n',
    '$16384\r\n',
    '$16385\r\n',
    '$536870912\r\n',
  ],
  ...[
    '$536870913\r\n',
    '$9223372036854775807\r\n',
    '$9223372036854775808\r\n',
    '*99999999999999999999\r\n',
    '\r\n',
    '\n',
    '\r',
  ],
  ...[
    '"',
    "'",
    '\\',
    '\\x',
    '\\x0',
    '\\xff',
    'GET k\r\n',
    '"a"b',
    ' ',
    '\t',
    '\v',
    '\0',
    '+',
    '-',
    ':',
    '%',
    '~',
    '>',
    '|',
    '(',
    '_\r\n',
  ],
].map(latin1)

/** Fuzzes. Throws for nothing that the decoder does wrong: that is in `finds`. */
export function fuzzDecoder({ runs, seed, progress }: DecoderFuzz): DecoderFuzzed {
  const random = randomFrom(seed)
  const coverage = new Coverage(/resp\/(request|inline|args|peek|scan)\.[jt]s/)
  const known = new Set<string>()
  const corpus: Buffer[] = []
  const finds: { stream: string; problem: string }[] = []
  const isNew = (places: readonly string[]): boolean => {
    const before = known.size
    for (const place of places) known.add(place)
    return known.size > before
  }
  const attempt = (stream: Buffer): string[] => {
    const { problem, kinds } = examine(stream, random)
    if (problem !== '') finds.push(smallest(stream, problem))
    return kinds
  }
  coverage.take()
  for (const text of seeds) {
    const stream = latin1(text)
    isNew([...attempt(stream), ...coverage.take()])
    corpus.push(stream)
  }
  let done = 0
  while (done < runs && finds.length < 10) {
    const batch = Array.from({ length: Math.min(BATCH, runs - done) }, () => mutant(corpus, random))
    const fresh = batch.filter((stream) => isNew(attempt(stream)))
    const unknown = new Set(coverage.take().filter((place) => !known.has(place)))
    if (unknown.size > 0) {
      isNew([...unknown])
      // Somebody in this batch went where nobody was: who, is found by asking each alone.
      for (const stream of batch) {
        examine(stream, random)
        if (coverage.take().some((place) => unknown.delete(place))) fresh.push(stream)
      }
    }
    for (const stream of new Set(fresh)) corpus.push(stream)
    done += batch.length
    if (done % (BATCH * 8192) < batch.length) progress?.(`${done} runs, ${corpus.length} streams, ${known.size} places`)
  }
  coverage.end()
  return { runs: done, corpus: corpus.length, places: known.size, finds }
}

function mutant(corpus: readonly Buffer[], random: Random): Buffer {
  let stream: Buffer = Buffer.from(random.pick(corpus))
  for (let changes = random.between(1, 4); changes > 0; changes--) stream = changed(stream, corpus, random)
  const longest = stream.length > MAX_LINE_BYTES ? LONGEST_LINE_BYTES : LONGEST_BYTES
  return stream.subarray(0, longest)
}

function changed(stream: Buffer, corpus: readonly Buffer[], random: Random): Buffer {
  const at = random.below(stream.length + 1)
  const to = Math.min(stream.length, at + random.between(1, 12))
  switch (random.below(9)) {
    case 0: {
      const copy = Buffer.from(stream)
      if (at < copy.length) copy[at] = copy[at]! ^ (1 << random.below(8))
      return copy
    }
    case 1:
      return Buffer.concat([stream.subarray(0, at), Buffer.from([random.below(256)]), stream.subarray(at)])
    case 2:
    case 3:
      return Buffer.concat([stream.subarray(0, at), random.pick(tokens), stream.subarray(at)])
    case 4:
      return Buffer.concat([stream.subarray(0, at), random.pick(tokens), stream.subarray(to)])
    case 5:
      return Buffer.concat([stream.subarray(0, at), stream.subarray(to)])
    case 6:
      return Buffer.concat([stream.subarray(0, to), stream.subarray(at)])
    case 7: {
      const other = random.pick(corpus)
      return Buffer.concat([stream.subarray(0, at), other.subarray(random.below(other.length + 1))])
    }
    default:
      // A very long line, seldom: it costs as much as a hundred short streams.
      if (!random.chance(0.002)) return stream.subarray(0, at)
      return Buffer.concat([
        stream.subarray(0, at),
        Buffer.alloc(MAX_LINE_BYTES + random.between(-4, 4), random.pick(['1', 'a', ' ', '"'])),
      ])
  }
}

/** Everything that must hold for a stream. `problem` '': it does. `kinds`: what came of it. */
function examine(stream: Buffer, random: Random): { problem: string; kinds: string[] } {
  const kinds: string[] = []
  try {
    const whole = decode([stream])
    kinds.push(`${whole.error.slice(0, 40)} ${Math.min(whole.commands.length, 4)}`)
    for (const packets of cuts(stream, random)) sameAs(whole, decode(packets))
    bounded(whole, stream)
    agreesWithParser(whole, stream)
    looksAhead(whole, stream)
    limited(stream, whole)
    kinds.push(...scans(stream, random))
    return { problem: '', kinds }
  } catch (error) {
    return { problem: (error as Error).message, kinds }
  }
}

function* cuts(stream: Buffer, random: Random): Iterable<Buffer[]> {
  // All cuts of every fourth: they are what takes the time.
  const thorough = random.chance(0.25)
  if (thorough && stream.length <= CUT_EVERYWHERE_BYTES) for (let i = 0; i <= stream.length; i++) yield cutAt(stream, i)
  if (thorough && stream.length <= LONGEST_BYTES) yield pieces(stream, 1)
  const [a, b] = [random.below(stream.length + 1), random.below(stream.length + 1)]
  yield cutAt(stream, Math.min(a, b), Math.max(a, b))
  yield pieces(stream, random.between(2, 2000))
}

function sameAs(whole: Outcome, cut: Outcome): void {
  if (whole.error !== cut.error) throw new Error(`whole: ${whole.error}; cut: ${cut.error}`)
  if (whole.commands.length !== cut.commands.length) {
    throw new Error(`${whole.commands.length} commands, cut ${cut.commands.length}`)
  }
  for (const [i, command] of whole.commands.entries()) sameArguments(command, cut.commands[i]!, 'cut')
}

function sameArguments(ours: readonly Buffer[], theirs: readonly Buffer[], who: string): void {
  if (ours.length !== theirs.length || ours.some((argument, i) => !argument.equals(theirs[i]!))) {
    throw new Error(`${JSON.stringify(ours.map(String))}, ${who}: ${JSON.stringify(theirs.map(String))}`)
  }
}

/** Held between packets: what came or its double, 1 MiB ahead where a header promises more, and a place in the list for each argument. */
function bounded(whole: Outcome, stream: Buffer): void {
  const most = 2 * stream.length + MIB + 1024 + PLACE_BYTES * (64 + stream.length)
  if (whole.peakBytes > most) throw new Error(`${whole.peakBytes} bytes held for ${stream.length} received`)
}

function agreesWithParser(whole: Outcome, stream: Buffer): void {
  if (whole.error !== '' || stream[0] !== 0x2a) return
  const { replies, fatal } = readReplies(stream)
  if (fatal) return
  const isRequest = (reply: unknown): reply is Buffer[] => Array.isArray(reply) && reply.every(Buffer.isBuffer)
  // A stream with lines or other replies in it is no stream of requests to redis-parser; and it checks what lies behind a bulk less.
  if (!replies.every(isRequest)) return
  const theirs = (replies as Buffer[][]).filter((reply) => reply.length > 0)
  if (theirs.length !== whole.commands.length) return
  for (const [i, command] of theirs.entries()) sameArguments(whole.commands[i]!, command, 'redis-parser')
}

function looksAhead(whole: Outcome, stream: Buffer): void {
  const spans = new Spans()
  spans.bytes = stream
  peekKeys(stream, 0, stream.length, spans)
  for (let i = 0; i < spans.count && i < whole.commands.length; i++) {
    const seen = stream.subarray(spans.starts[i], spans.ends[i])
    if (spans.starts[i]! > spans.ends[i]! || spans.ends[i]! > stream.length) throw new Error('a key beyond the stream')
    if (!seen.equals(whole.commands[i]![1]!))
      throw new Error(`the look ahead saw ${seen}, and not ${whole.commands[i]![1]}`)
  }
}

function limited(stream: Buffer, whole: Outcome): void {
  const before = decode([stream], { authenticated: false })
  for (const command of before.commands) {
    const isLine = command.length > MAX_UNAUTHENTICATED_ARGUMENTS
    const isLong = command.some((argument) => argument.length > MAX_UNAUTHENTICATED_BULK_BYTES)
    // A line may have more words, and longer ones, but not more than a line has bytes.
    const bytes = command.reduce((sum, argument) => sum + argument.length, 0)
    if ((isLine || isLong) && bytes > MAX_LINE_BYTES) throw new Error('too much before authentication')
  }
  const small: DecodeOptions = { maxBulkBytes: 4, maxQueryBytes: 300 }
  const limits = decode(pieces(stream, 7), small)
  const most = 2 * (300 + 7) + MIB + 1024 + PLACE_BYTES * 64
  if (limits.peakBytes > most) throw new Error(`${limits.peakBytes} bytes held under a limit of 300`)
  if (limits.commands.length > whole.commands.length) throw new Error('a limit has made commands')
}

/** The scanner of replies, on the same bytes. */
function scans(stream: Buffer, random: Random): string[] {
  const end = replyEnd(stream, 0, stream.length)
  if (end > stream.length) throw new Error('a reply ends behind the stream')
  for (let looks = Math.min(stream.length, 12); looks > 0; looks--) {
    const n = random.below(stream.length)
    const part = replyEnd(stream, 0, n)
    const fits = part === INCOMPLETE ? end !== n || end < 0 : part === end
    if (!fits || (end > 0 && n < end && part !== INCOMPLETE)) {
      throw new Error(`replyEnd says ${end}, and ${part} of the first ${n} bytes`)
    }
  }
  if (end > 0) {
    let read: ReturnType<typeof parseReply>
    try {
      read = parseReply(stream.subarray(0, end))
    } catch {
      return ['scan: stricter reader'] // numbers that are none, types it does not know
    }
    if (read !== undefined && read.end !== end) throw new Error(`replyEnd says ${end}, the reader ${read.end}`)
  }
  return [`scan: ${end === MALFORMED ? 'malformed' : end === INCOMPLETE ? 'incomplete' : 'whole'}`]
}

/** The shortest stream, by leaving bytes out, that still breaks something. */
function smallest(stream: Buffer, problem: string): { stream: string; problem: string } {
  let best = stream
  let what = problem
  for (let size = Math.ceil(best.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < best.length; ) {
      const shorter = Buffer.concat([best.subarray(0, at), best.subarray(at + size)])
      const again = examine(shorter, randomFrom(1)).problem
      if (again === '') at += size
      else {
        best = shorter
        what = again
      }
    }
  }
  return { stream: JSON.stringify(best.toString('latin1').slice(0, 500)), problem: what }
}
