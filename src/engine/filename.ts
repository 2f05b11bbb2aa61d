// What files are called: this file alone knows.
//
//   0000000042.data     segment 42          0000000042.hint   its hint
//   MANIFEST            the list of what is data
//   LOCK                held by the kernel for the one writer; never unlinked or renamed
//   keydir.image        the keydir as it was at a clean stop
//   reserve             bytes given up when the disk is full; reserve.1 and so on are empty: for the day no more files can be made
//   reserve.last        given up when those are used up as well, with some empty ones of its own
//   *.new               being written; means nothing until renamed
//   quarantine/         bytes that recovery left behind, for people to look at

export const MANIFEST = 'MANIFEST'
export const LOCK = 'LOCK'
export const IMAGE = 'keydir.image'
export const RESERVE = 'reserve'
export const LAST_RESERVE = 'reserve.last'
export const SPARE_FILES = [1, 2, 3, 4, 5, 6].map((number) => `${RESERVE}.${number}`)
export const LAST_SPARE_FILES = [1, 2, 3, 4, 5].map((number) => `${LAST_RESERVE}.${number}`)
export const QUARANTINE = 'quarantine'

export const dataName = (number: number): string => `${String(number).padStart(10, '0')}.data`
export const hintName = (number: number): string => `${String(number).padStart(10, '0')}.hint`
export const temporary = (name: string): string => `${name}.new`

const SEGMENT_FILE = /^(\d{10})\.(data|hint)$/

/** Segment number and kind of a file of our naming, null for any other. */
export function parseSegmentName(name: string): { number: number; kind: 'data' | 'hint' } | null {
  const match = SEGMENT_FILE.exec(name)
  if (match === null) return null
  return { number: Number(match[1]), kind: match[2] as 'data' | 'hint' }
}

/** True for what an interrupted write of ours may have left: removed at every start. */
export function isTemporary(name: string): boolean {
  return name.endsWith('.new') && (isOurs(name.slice(0, -4)) || parseSegmentName(name.slice(0, -4)) !== null)
}

const isOurs = (name: string): boolean =>
  name === MANIFEST || name === IMAGE || name === RESERVE || name === LAST_RESERVE
