// LCS: the longest common subsequence of two strings, its length, and where it lies in both.
//
// The classic table: length(i, j) of the first i bytes of a and the first j of b is one more than length(i-1, j-1) where the bytes are
// the same, else the larger of length(i-1, j) and length(i, j-1). Among several longest ones, the way back through the table decides,
// and it goes as Redis's: from the end, diagonally where the bytes are the same, else to i-1 if that is strictly longer, else
// to j-1.
//
// The way back needs only to know which of the two was longer, so of the table one bit a cell is kept and of the lengths one line. The
// line runs along the shorter string. Where Redis takes 4 bytes a cell, refuses when they exceed proto-max-bulk-len, and computes in
// one go, this refuses the same, takes a thirty-second part of it and goes in steps, while others are served.

import type { Slice } from '../base/slice.ts'
import { NONE } from '../engine/engine.ts'
import { TYPE_STRING } from '../engine/record.ts'
import type { Args } from '../resp/args.ts'
import { type Command, READ, TWO_KEYS } from './command.ts'
import { NOT_AN_INTEGER, SYNTAX_ERROR } from './errors.ts'
import { findToRead } from './events.ts'
import { type Integer, parseInteger } from './numbers.ts'
import type { Session } from './session.ts'
import { valueToKeep } from './values.ts'
import { isWord } from './words.ts'

export const lcsCommands = [
  {
    name: 'LCS',
    arity: -3,
    flags: READ,
    keys: TWO_KEYS,
    values: TWO_KEYS,
    access: [['RO', 'access']],
    run: lcs,
    summary: 'Finds the longest common subsequence of two strings.',
    since: '7.0.0',
    group: 'string',
    complexity: 'O(N*M) for strings of N and M bytes.',
  },
] as const satisfies readonly Command[]

/** Cells of the table, or moves of the way back, in one step: about a millisecond. */
const STEP_CELLS = 256 * 1024
/** What Redis takes for a cell; what it refuses, we refuse. */
const BYTES_A_CELL_IN_REDIS = 4

interface Options {
  readonly withLength: boolean
  readonly withIndexes: boolean
  readonly withMatchLengths: boolean
  readonly minMatchLength: Integer
}

function lcs(session: Session, args: Args): void {
  const { engine, reply, server } = session
  const entries = [findToRead(session, args.at(1)), findToRead(session, args.at(2))] as const
  if (entries.some((entry) => entry !== NONE && engine.typeOf(entry) !== TYPE_STRING))
    return reply.error('ERR The specified keys must contain string values')
  const options = parseOptions(session, args)
  if (options === null) return

  const [sizeOfA, sizeOfB] = entries.map((entry) => (entry === NONE ? 0 : engine.valueSize(entry))) as [number, number]
  if ((sizeOfA + 1) * (sizeOfB + 1) * BYTES_A_CELL_IN_REDIS > server.maxBulkBytes)
    return reply.error('ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len')
  const [a, b] = entries.map((entry) => (entry === NONE ? NOTHING : bytesOf(valueToKeep(session, entry)))) as [
    Buffer,
    Buffer,
  ]
  const table = new Table(a, b, options)
  if (table.step()) table.reply(session)
  else
    session.stepwise(() => {
      if (!table.step()) return false
      table.reply(session)
      return true
    })
}

const NOTHING = Buffer.alloc(0)

function bytesOf({ bytes, start, end }: Slice): Buffer {
  return bytes.subarray(start, end)
}

/** null: there is an error, and the client has been told. */
function parseOptions(session: Session, args: Args): Options | null {
  let withLength = false
  let withIndexes = false
  let withMatchLengths = false
  let minMatchLength: Integer | null = 0
  let error = ''
  for (let i = 3; i < args.count && error === ''; i++) {
    const option = args.at(i)
    if (isWord(option, 'IDX')) withIndexes = true
    else if (isWord(option, 'LEN')) withLength = true
    else if (isWord(option, 'WITHMATCHLEN')) withMatchLengths = true
    else if (isWord(option, 'MINMATCHLEN') && i + 1 < args.count) {
      minMatchLength = parseInteger(args.at(++i))
      if (minMatchLength === null) error = NOT_AN_INTEGER
    } else error = SYNTAX_ERROR
  }
  if (error === '' && withIndexes && withLength)
    error = 'ERR If you want both the length and indexes, please just use IDX.'
  if (error === '') return { withLength, withIndexes, withMatchLengths, minMatchLength: minMatchLength! }
  session.reply.error(error)
  return null
}

/** A run of bytes that both strings have: from a[a0] to a[a1] and from b[b0] to b[b1]. */
interface Match {
  readonly a0: number
  readonly a1: number
  readonly b0: number
  readonly b1: number
}

class Table {
  private readonly a: Buffer
  private readonly b: Buffer
  private readonly options: Options
  private readonly short: Buffer
  private readonly long: Buffer
  private readonly shortIsB: boolean
  /** Lengths for the bytes of `long` so far, by how many bytes of `short`. */
  private readonly line: Uint32Array
  /** For each pair of bytes that differ, by long * short.length + short: length(i-1, j) > length(i, j-1). */
  private readonly goesUp: Uint8Array
  private done = 0 // bytes of `long`

  // The way back.
  private i: number
  private j: number
  private result: Buffer | null = null
  private rest = 0 // bytes of the result that are still to be found
  private matches: Match[] = []
  private run: Match | null = null

  constructor(a: Buffer, b: Buffer, options: Options) {
    this.a = a
    this.b = b
    this.options = options
    this.shortIsB = b.length <= a.length
    this.short = this.shortIsB ? b : a
    this.long = this.shortIsB ? a : b
    this.line = new Uint32Array(this.short.length + 1)
    this.goesUp = new Uint8Array(options.withLength ? 0 : Math.ceil((a.length * b.length) / 8))
    this.i = a.length
    this.j = b.length
  }

  /** One step. True: there is an answer. */
  step(): boolean {
    let cells = STEP_CELLS
    for (; this.done < this.long.length; this.done++) {
      if (cells <= 0) return false
      this.addLine(this.done)
      cells -= this.short.length + 1
    }
    if (this.options.withLength) return true
    if (this.result === null) {
      this.rest = this.length
      this.result = Buffer.alloc(this.rest)
    }
    return this.goBack(this.result, cells)
  }

  reply({ reply }: Session): void {
    const { withLength, withIndexes, withMatchLengths } = this.options
    if (withLength) return reply.integer(this.length)
    if (!withIndexes) return reply.bulk(this.result!, 0, this.length)
    reply.map(2)
    reply.bulkText('matches')
    reply.array(this.matches.length)
    for (const { a0, a1, b0, b1 } of this.matches) {
      reply.array(withMatchLengths ? 3 : 2)
      for (const [from, to] of [
        [a0, a1],
        [b0, b1],
      ] as const) {
        reply.array(2)
        reply.integer(from)
        reply.integer(to)
      }
      if (withMatchLengths) reply.integer(a1 - a0 + 1)
    }
    reply.bulkText('len')
    reply.integer(this.length)
  }

  private get length(): number {
    return this.line[this.short.length]!
  }

  /** The lengths with byte `at` of `long`. line[k] still is the length without it, line[k - 1] already that with it. */
  private addLine(at: number): void {
    const { short, line, goesUp, shortIsB } = this
    const byte = this.long[at]!
    const bits = goesUp.length === 0 ? -1 : at * short.length
    let diagonal = 0
    for (let k = 1; k <= short.length; k++) {
      const without = line[k]!
      if (short[k - 1] === byte) {
        line[k] = diagonal + 1
      } else {
        const shorter = line[k - 1]!
        if (shorter > without) line[k] = shorter
        if (bits >= 0 && (shortIsB ? without > shorter : shorter > without)) {
          const bit = bits + k - 1
          goesUp[bit >>> 3]! |= 1 << (bit & 7)
        }
      }
      diagonal = without
    }
  }

  /** Some of the way back. True: it has come to its end. */
  private goBack(result: Buffer, moves: number): boolean {
    const { a, b } = this
    for (let left = Math.max(1, moves); this.i > 0 && this.j > 0; left--) {
      if (left === 0) return false
      if (a[this.i - 1] === b[this.j - 1]) {
        result[--this.rest] = a[this.i - 1]!
        this.i--
        this.j--
        const end = this.run
        this.run = { a0: this.i, a1: end?.a1 ?? this.i, b0: this.j, b1: end?.b1 ?? this.j }
      } else {
        if (this.isUp(this.i - 1, this.j - 1)) this.i--
        else this.j--
        this.endRun()
      }
    }
    this.endRun()
    return true
  }

  private isUp(i: number, j: number): boolean {
    const bit = this.shortIsB ? i * this.short.length + j : j * this.short.length + i
    return (this.goesUp[bit >>> 3]! & (1 << (bit & 7))) !== 0
  }

  private endRun(): void {
    const { run } = this
    if (run === null) return
    if (run.a1 - run.a0 + 1 >= this.options.minMatchLength) this.matches.push(run)
    this.run = null
  }
}
