// From a seed to a batch. A batch has a few favourite commands and few keys, so that commands meet what others left behind;
// most arguments have the right shape, some are hurt: a word missing, one too many, two exchanged, one replaced.

import { type Random, randomFrom } from '../harness/random.ts'
import { excluded, fixed, shapes } from './grammar.ts'
import { inSomeCase, type Shape, shape } from './shape.ts'
import { type Batch, type ConnectionName, type Step, SUBSCRIBER_ID } from './step.ts'
import { kinds } from './words.ts'

/** What every batch needs to have something to look at. */
const CORE = [
  'SET',
  'GET',
  'DEL',
  'APPEND',
  'INCRBY',
  'MSET',
  'EXPIRE',
  'TTL',
  'SELECT',
  'COPY',
  'EXISTS',
  'SETRANGE',
  'EXPIREAT',
  'SWAPDB',
  'GET',
]
const TRANSACTION = ['MULTI', 'EXEC', 'DISCARD', 'WATCH', 'UNWATCH']

/**
 * Not in batches where expired keys stay until somebody comes across them: these tell who has come across which, and that is each
 * server's own affair. For the same reason such a batch listens to no events
 * and invalidations, and its state is compared without the counts.
 */
const SEES_EXPIRED: ReadonlySet<string> = new Set(['DBSIZE', 'MEMORY USAGE'])

/**
 * Nor this, in such a batch with transactions: who watched a key that had expired, and has RESTORE put another in its place, is not told so by Redis
 * (it forgets the old one without looking it up, so it takes the new one for it). In Casky EXEC is refused, as after SET.
 */
const overwritesUnseen = (words: readonly string[]): boolean =>
  /^restore/i.test(words[0]!) && words.some((word) => /^replace$/i.test(word))

/** Of these there are many, and a standalone server without scripts answers all of them with the same few errors: never favourites. */
const POOR = /^(CLUSTER|MODULE|FUNCTION|SCRIPT|READONLY|READWRITE|ASKING)\b/

const shaped = new Map<string, Shape>(Object.entries(shapes).map(([name, text]) => [name, shape(text)]))
const wild: Shape = (random) => Array.from({ length: random.below(5) }, () => kinds['any']!(random))

const subscriberShapes = [
  'SUBSCRIBE channel...',
  'PSUBSCRIBE channels...',
  'SSUBSCRIBE channel...',
  'UNSUBSCRIBE channel...',
  'PUNSUBSCRIBE channels...',
  'SUNSUBSCRIBE channel...',
  'PING [message]',
  'HELLO (2|3)',
  'RESET',
  'GET key',
  'SET key value',
  'SUBSCRIBE',
  'CLIENT GETNAME',
].map(shape)

const expiringShapes = [
  'PEXPIRE key 1',
  'SET key value PX 1',
  'PSETEX key 1 value',
  'GETEX key PX 1',
  'RESTORE key 1 payload REPLACE', // the last: see overwritesUnseen
].map(shape)

const trackerShapes = [
  'CLIENT TRACKING ON [BCAST] [PREFIX ("k"|"n"|key)] [NOLOOP]',
  'CLIENT TRACKING ON [OPTIN|OPTOUT] [NOLOOP]',
  'CLIENT TRACKING (OFF|ON|option) [BCAST|OPTIN|OPTOUT|NOLOOP|option]',
  'CLIENT CACHING (YES|NO)',
  'CLIENT TRACKINGINFO',
  'GET key',
  'GET key',
  'MGET key...',
  'STRLEN key',
  'EXISTS key...',
  'SET key value',
  'DEL key',
  'HELLO (3|3|2)',
].map(shape)

const CLOSING = [
  '*1\r\nGET\r\n',
  '*x\r\n',
  '*2\r\n$3\r\nGET\r\n$-1\r\n',
  '*1\r\n$x\r\n',
  '*99999999999\r\n',
  'SET "k1\r\n',
  "GET 'k1\r\n",
  'GET "k1"x\r\n',
  '*1\r\n$4\r\nQUIT\r\n',
  'quit\r\n',
]

/** What the batches are made of: names of commands that both servers list and that may be sent, in capitals. */
export function sendable(ours: ReadonlySet<string>, theirs: ReadonlySet<string>): string[] {
  return [...ours].filter((name) => theirs.has(name) && !isExcluded(name)).sort()
}

export const isExcluded = (name: string): boolean => name in excluded || name.split(' ')[0]! in excluded

export interface GenerateOptions {
  readonly seed: number
  /** From sendable(). */
  readonly commands: readonly string[]
  readonly steps: number
}

export function generate({ seed, commands, steps }: GenerateOptions): Batch {
  const random = randomFrom(seed)
  const known = new Set(commands)
  const keepsExpired = known.has('PEXPIRE') && random.chance(0.25)
  const usual = commands.filter(
    (name) => name !== 'QUIT' && !TRANSACTION.includes(name) && !(keepsExpired && SEES_EXPIRED.has(name)),
  )
  const core = CORE.filter((name) => known.has(name))
  const rich = usual.filter((name) => name in shapes && !POOR.test(name))
  const favourites = Array.from({ length: random.between(4, 14) }, () => random.pick(rich))
  const subscribes = known.has('PUBLISH') && random.chance(0.2)
  const tracks = known.has('CLIENT GETREDIR') && !keepsExpired && random.chance(0.12)
  const events = subscribes && !keepsExpired && random.chance(0.5) ? 'KEAmn' : ''
  const transactions = random.chance(0.5)
  const watchesExpired = keepsExpired && transactions
  const expiring = watchesExpired ? expiringShapes.slice(0, -1) : expiringShapes
  const inTransaction = new Set<ConnectionName>()
  const batch: Step[] = []
  if (random.chance(0.3))
    for (const name of ['a', 'b'] as const) batch.push({ on: name, kind: 'command', words: ['HELLO', '3'] })
  let on: ConnectionName = 'a'
  while (batch.length < steps) {
    if (random.chance(0.15)) on = random.chance(0.6) ? 'a' : 'b'
    if (subscribes && random.chance(0.15)) batch.push(subscriberStep())
    else if (tracks && random.chance(0.25)) batch.push(trackerStep())
    else batch.push(step(on))
  }
  if (subscribes) batch.push({ on: 's', kind: 'command', words: ['PING'] })
  if (tracks) batch.push({ on: 't', kind: 'command', words: ['PING'] })
  return { seed, steps: batch, events, keepsExpired }

  function step(name: ConnectionName): Step {
    if (random.chance(0.004)) return { on: name, kind: 'closing', words: [random.pick(CLOSING)] }
    if (keepsExpired && random.chance(0.06)) return { on: name, kind: 'expiring', words: random.pick(expiring)(random) }
    if (!tracks && random.chance(0.006)) {
      const more = Array.from({ length: random.between(1, 4) }, () => line(random.pick(core)))
      return random.chance(0.5)
        ? { on: name, kind: 'silent', words: ['OFF'], more }
        : { on: name, kind: 'silent', words: ['SKIP'], more: more.slice(0, 1) }
    }
    const words = line(commandName(name), name)
    const inline = random.chance(0.03) && words.join('').length < 5000
    return { on: name, kind: inline ? 'inline' : 'command', words }
  }

  function commandName(on: ConnectionName): string {
    const word = transactions ? transactionWord(on) : undefined
    if (word !== undefined) return word
    const dice = random.next()
    if (dice < 0.35) return random.pick(core)
    if (dice < 0.85) return random.pick(favourites)
    return random.pick(usual)
  }

  /** Mostly what belongs here: a transaction has some commands, and an end. */
  function transactionWord(on: ConnectionName): string | undefined {
    const dice = random.next()
    if (!inTransaction.has(on)) {
      if (dice < 0.06) inTransaction.add(on)
      return dice < 0.06
        ? 'MULTI'
        : dice < 0.12
          ? random.pick(['WATCH', 'WATCH', 'UNWATCH', 'EXEC', 'DISCARD'])
          : undefined
    }
    if (dice < 0.17) inTransaction.delete(on)
    return dice < 0.15 ? 'EXEC' : dice < 0.17 ? 'DISCARD' : dice < 0.19 ? random.pick(['MULTI', 'WATCH']) : undefined
  }

  /** In a transaction fewer arguments are hurt: most of that spoils all of it. */
  function line(name: string, on?: ConnectionName): string[] {
    const hurting = on !== undefined && inTransaction.has(on) ? 0.02 : 0.12
    if (random.chance(hurting / 40)) return [random.pick(['nosuch', 'getx', 'SE T', 'hget2', 'x']), ...wild(random)]
    for (;;) {
      const words = [...name.split(' ').map((word) => inSomeCase(word, random)), ...argumentsOf(name, hurting)]
      if (watchesExpired && overwritesUnseen(words)) continue
      if (!isTooLarge(words) && !isTooSoon(words) && !isPartOfScan(words)) return words
    }
  }

  function argumentsOf(name: string, hurting: number): string[] {
    const args = (shaped.get(name) ?? wild)(random)
    if (fixed.has(name) || !random.chance(hurting)) return args
    return hurt(random.chance(0.2) ? hurt(args, random) : args, random)
  }

  function subscriberStep(): Step {
    return { on: 's', kind: 'command', words: random.pick(subscriberShapes)(random) }
  }

  function trackerStep(): Step {
    const words = random.pick(trackerShapes)(random)
    if (subscribes && words[1] === 'TRACKING' && random.chance(0.2)) words.push('REDIRECT', SUBSCRIBER_ID)
    return { on: 't', kind: 'command', words }
  }
}

/** Arguments that nobody meant. */
function hurt(args: string[], random: Random): string[] {
  const words = [...args]
  const at = random.below(words.length + 1)
  switch (random.below(6)) {
    case 0:
      words.splice(at, 1)
      break
    case 1:
      words.splice(at, 0, kinds['any']!(random))
      break
    case 2:
      words.push(kinds['option']!(random))
      break
    case 3:
      if (words.length > 0) words[random.below(words.length)] = kinds['any']!(random)
      break
    case 4:
      if (at > 0 && at < words.length) [words[at - 1], words[at]] = [words[at]!, words[at - 1]!]
      break
    default:
      words.push(...words.slice(at))
  }
  return words
}

const OFFSETS: ReadonlySet<string> = new Set(['SETBIT', 'SETRANGE', 'BITFIELD', 'BITFIELD_RO'])

/** Would make a string of many megabytes, or nearly. Beyond the limit it is refused, and that is wanted. */
function isTooLarge(words: readonly string[]): boolean {
  if (!OFFSETS.has(words[0]!.toUpperCase())) return false
  return words.slice(2).some((word) => {
    const number = Number(/^#?(\d+)$/.exec(word)?.[1] ?? 0)
    return number > (word.startsWith('#') ? 10_000 : 1_000_000) && number < 2 ** 32
  })
}

const RELATIVE: Readonly<Record<string, number>> = {
  EXPIRE: 2, PEXPIRE: 2, SETEX: 2, PSETEX: 2, RESTORE: 2, 'RESTORE-ASKING': 2, SET: 3, GETEX: 2,
} // biome-ignore format: a list

/** Would expire while the batch is running, sooner on one server than on the other. */
function isTooSoon(words: readonly string[]): boolean {
  const from = RELATIVE[words[0]!.toUpperCase()]
  if (from === undefined) return /^p?expireat$/i.test(words[0]!) && words.slice(2).some(isAboutNow)
  if (words.slice(from).some((word, i, all) => /^(ex|px)at$/i.test(word) && isLongPast(all[i + 1] ?? '', words)))
    return true
  return words.slice(from).some((word) => (Number(word) > 0 && Number(word) < 90_000) || isAboutNow(word))
}

/** Half of a walk is the server's own affair: a cursor means something only to who gave it, and a small COUNT finds what it finds. */
function isPartOfScan(words: readonly string[]): boolean {
  if (words[0]!.toUpperCase() !== 'SCAN' || words.length < 2) return false
  const counts = words.filter((_, i) => i > 1 && words[i - 1]!.toUpperCase() === 'COUNT').map(Number)
  if (counts.length === 0 || counts.some((count) => count > 0 && count < 1000)) return true
  return Number(words[1]) !== 0 && Math.abs(Number(words[1])) < 2 ** 64
}

/** SET with a moment in the past leaves an expired key, and DBSIZE counts it until the server gets round to it. */
const isLongPast = (moment: string, words: readonly string[]): boolean =>
  words[0]!.toUpperCase() === 'SET' && Number(moment) > 0 && Number(moment) < 2e12

/** Milliseconds or seconds since 1970 that are neither long past nor far away. */
function isAboutNow(word: string): boolean {
  const number = Number(word)
  return (number > 1.5e9 && number < 2.5e9) || (number > 1.5e12 && number < 2.5e12)
}
