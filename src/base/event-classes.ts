// Classes of keyspace events, as notify-keyspace-events names them: a letter each.
//
//   K  announce on __keyspace@<db>__:<key>, the event's name as the message
//   E  announce on __keyevent@<db>__:<event>, the key as the message
//   g $ l s h z t d   events of generic commands, strings, lists, sets, hashes, sorted sets, streams, modules
//   x  a key has expired         e  a key was evicted (Casky evicts none)
//   m  a read found no key       n  a key is new
//   A  all of g$lshzxetd: neither m nor n
//
// Without K or E nothing is announced, whatever else is said. Types that Casky does not have can be named and never happen.

export const EVENT_KEYSPACE = 1
export const EVENT_KEYEVENT = 2
export const EVENT_GENERIC = 4
export const EVENT_STRING = 8
export const EVENT_LIST = 16
export const EVENT_SET = 32
export const EVENT_HASH = 64
export const EVENT_SORTED_SET = 128
export const EVENT_EXPIRED = 256
export const EVENT_EVICTED = 512
export const EVENT_STREAM = 1024
export const EVENT_MISS = 2048
export const EVENT_MODULE = 4096
export const EVENT_NEW = 8192

/** In the order in which CONFIG GET says them. */
const CLASSES: readonly (readonly [string, number])[] = [
  ['g', EVENT_GENERIC],
  ['$', EVENT_STRING],
  ['l', EVENT_LIST],
  ['s', EVENT_SET],
  ['h', EVENT_HASH],
  ['z', EVENT_SORTED_SET],
  ['x', EVENT_EXPIRED],
  ['e', EVENT_EVICTED],
  ['t', EVENT_STREAM],
  ['d', EVENT_MODULE],
]
const APART: readonly (readonly [string, number])[] = [
  ['K', EVENT_KEYSPACE],
  ['E', EVENT_KEYEVENT],
  ['m', EVENT_MISS],
]
const NEW: readonly [string, number] = ['n', EVENT_NEW]

const ALL = CLASSES.reduce((sum, [, bit]) => sum | bit, 0)

/** The classes that letters stand for; null when one of them stands for none. */
export function readEventClasses(letters: string): number | null {
  let classes = 0
  for (const letter of letters) {
    const bit = letter === 'A' ? ALL : [...CLASSES, ...APART, NEW].find(([name]) => name === letter)?.[1]
    if (bit === undefined) return null
    classes |= bit
  }
  return classes
}

/** The letters of classes, as Redis orders them. It leaves out `n` beside `A`, and so does this. */
export function writeEventClasses(classes: number): string {
  const hasAll = (classes & ALL) === ALL
  const letters = (of: readonly (readonly [string, number])[]): string =>
    of.map(([name, bit]) => ((classes & bit) === 0 ? '' : name)).join('')
  return (hasAll ? 'A' : letters([...CLASSES, NEW])) + letters(APART)
}
