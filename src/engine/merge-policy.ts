// When to merge, and what. Pure functions: statistics in, decision out. The ideas and defaults are Bitcask's (Sheehy and Smith 2010, and
// the options of its Erlang implementation): a *trigger* starts a merge, lower *thresholds* say what else is worth taking along.

import type { EngineSettings } from './engine.ts'
import { NOTHING, type Room } from './storage.ts'

export interface SegmentFacts {
  readonly number: number
  readonly bytes: number
  readonly liveBytes: number
  readonly deadBytes: number
  readonly tombstoneBytes: number
  readonly tombstones: number
  readonly sealed: boolean
  readonly hinted: boolean
  readonly damaged: boolean
  readonly lowSequence: number
  readonly highSequence: number
  /** Of what a merge has written: the dead bytes of segments with older records when it was new (`Older`). Null: no merge has written it. */
  readonly deadBeforeIt: number | null
}

export interface Choice {
  readonly inputs: readonly number[]
  /** For each segment: picked, or why not. */
  readonly verdicts: ReadonlyMap<number, string>
  /** Bytes that would go. */
  readonly freedBytes: number
  /** What the outputs take, as far as can be told. */
  readonly outputs: Room
}

/** Bytes read by one merge: its inputs stay on disk until its outputs count, so a large one needs much room for long. */
export const MAX_MERGE_BYTES = 512 * 1024 * 1024
/** Each input is an open file and a window of memory. */
const MAX_MERGE_INPUTS = 64
/** Small segments are only merged for being small when there are several: one alone would be copied again and again. */
const SMALL_FILES = 3
/** The verdict on what has to wait until others have made room. */
export const NO_ROOM = 'no room: what lives of it does not fit on the disk'

/** Segments with records older than the newest of some segment: where its tombstones may have something to hide. */
export interface Older {
  readonly segments: number
  /** How much of them is dead; infinite where one has no hint, so that a merge could not ask it. */
  readonly deadBytes: number
}

/** For each segment, the others that have older records. */
export function olderOf(all: readonly SegmentFacts[]): ReadonlyMap<number, Older> {
  const sorted = all.filter(({ lowSequence }) => lowSequence !== 0).sort((a, b) => a.lowSequence - b.lowSequence)
  const dead = [0] // of sorted[0..i) together
  const unhinted = [0]
  for (const [i, facts] of sorted.entries()) {
    dead.push((dead[i] as number) + facts.deadBytes)
    unhinted.push((unhinted[i] as number) + (facts.hinted ? 0 : 1))
  }
  const older = new Map<number, Older>()
  for (const facts of all) {
    const count = countBelow(sorted, facts.highSequence)
    const self = facts.lowSequence !== 0 && facts.lowSequence < facts.highSequence ? 1 : 0
    const isAsked = (unhinted[count] as number) - (facts.hinted ? 0 : self) === 0
    older.set(facts.number, {
      segments: count - self,
      deadBytes: isAsked ? (dead[count] as number) - self * facts.deadBytes : Number.POSITIVE_INFINITY,
    })
  }
  return older
}

/** How many begin before that sequence. */
function countBelow(sorted: readonly SegmentFacts[], sequence: number): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((sorted[middle] as SegmentFacts).lowSequence < sequence) low = middle + 1
    else high = middle
  }
  return low
}

/**
 * How many bytes of a segment's tombstones a merge would drop, at least. Which ones it can drop only the merge finds out; but each that has to
 * stay hides a dead record, no shorter than itself, in a segment with older records. So what they are more than those dead bytes goes.
 *
 * What a merge has written holds just those that had to stay (or of which it could not know better), and the same segment must not be picked
 * for ever: there a tombstone counts as far as dead bytes have gone since.
 */
function droppableTombstones({ tombstoneBytes, deadBeforeIt }: SegmentFacts, { segments, deadBytes }: Older): number {
  if (tombstoneBytes === 0 || segments === 0) return tombstoneBytes
  if (deadBytes === Number.POSITIVE_INFINITY) return 0
  const droppable = deadBeforeIt === null ? tombstoneBytes - deadBytes : deadBeforeIt - deadBytes
  return Math.min(tombstoneBytes, Math.max(0, droppable))
}

/** How many files so many bytes of records will be: one more than if each were full. */
const filesFor = (bytes: number, { segmentSizeBytes }: EngineSettings): number =>
  bytes === 0 ? 0 : Math.ceil(bytes / segmentSizeBytes) + 1

const UNLIMITED: Room = { bytes: Number.POSITIVE_INFINITY, files: Number.POSITIVE_INFINITY }

/** On a full disk every segment with so many percent of dead records is worth it. */
const FRAGMENTATION_WHEN_FULL = 5

/** Why a merge is looked for: the time has come, somebody said MERGE, or the disk is full. */
export type Occasion = 'due' | 'asked' | 'full'

/**
 * What a merge would take now. Asked for, anything worth it counts, not only what passes a trigger. `room`: what the outputs may have; a
 * segment whose live records do not fit waits until others have made room. `below`: numbers from here on did not exist yet when it was asked
 * for.
 */
export function chooseInputs(
  all: readonly SegmentFacts[],
  settings: EngineSettings,
  occasion: Occasion,
  room: Room = UNLIMITED,
  below = Number.POSITIVE_INFINITY,
): Choice {
  const verdicts = new Map<number, string>()
  const candidates: { facts: SegmentFacts; reclaim: number; share: number }[] = []
  const small: SegmentFacts[] = []
  const older = olderOf(all)
  const asked = occasion === 'asked'
  const mostPercent = occasion === 'full' ? FRAGMENTATION_WHEN_FULL : 100
  const triggerPercent = Math.min(settings.mergeTriggerFragmentation, mostPercent)
  const thresholdPercent = Math.min(settings.mergeThresholdFragmentation, mostPercent)
  // Where few keys are overwritten all the time, each segment passes the trigger as the next one fills, and a merge would copy much of what
  // lives; a little later next to nothing of it does.
  const enoughBytes = occasion === 'full' ? 0 : settings.mergeTriggerSegments * settings.segmentSizeBytes
  let triggered = asked
  let isFragmented = false
  let worthBytes = 0
  // A segment is small only if it is also far from a full one: with tiny segments the threshold alone would call all of them small.
  const smallBelow = Math.min(settings.mergeThresholdSmallFile, settings.segmentSizeBytes / 2)
  for (const facts of all) {
    if (!facts.sealed) verdicts.set(facts.number, 'open: still written to')
    else if (facts.number >= below) verdicts.set(facts.number, 'newer than the MERGE that runs')
    else if (facts.damaged) verdicts.set(facts.number, 'damaged: kept as it is')
    else {
      const reclaim = facts.deadBytes + droppableTombstones(facts, older.get(facts.number) as Older)
      const share = facts.bytes === 0 ? 0 : (reclaim * 100) / facts.bytes
      const isLarge = reclaim >= settings.mergeTriggerDeadBytes
      const isMostlyDead = share >= triggerPercent
      triggered ||= isLarge
      isFragmented ||= isMostlyDead
      const worth =
        reclaim > 0 &&
        (asked || isLarge || isMostlyDead || reclaim >= settings.mergeThresholdDeadBytes || share >= thresholdPercent)
      if (worth) {
        candidates.push({ facts, reclaim, share })
        worthBytes += reclaim
      } else if (facts.bytes < smallBelow) small.push(facts)
      else verdicts.set(facts.number, reclaim === 0 ? 'nothing dead' : 'too little dead')
    }
  }
  triggered ||= isFragmented && worthBytes >= enoughBytes
  const manySmall = small.length >= SMALL_FILES
  if (manySmall) {
    triggered = true
    for (const facts of small) candidates.push({ facts, reclaim: facts.deadBytes, share: 0 })
  } else {
    for (const facts of small) verdicts.set(facts.number, 'small, but alone')
  }
  if (!triggered) {
    const why = isFragmented ? 'worth it, but too little in all' : 'worth it, but nothing has passed a trigger'
    for (const { facts } of candidates) verdicts.set(facts.number, why)
    return { inputs: [], verdicts, freedBytes: 0, outputs: NOTHING }
  }
  // Most reclaimed for least copied first, within one merge's size.
  candidates.sort((a, b) => b.share - a.share || a.facts.number - b.facts.number)
  const inputs: number[] = []
  let bytes = 0
  let keptBytes = 0
  let livingBytes = 0
  let freedBytes = 0
  for (const { facts, reclaim } of candidates) {
    if (inputs.length === MAX_MERGE_INPUTS || (inputs.length > 0 && bytes + facts.bytes > MAX_MERGE_BYTES)) {
      verdicts.set(facts.number, 'next time: this merge is large enough')
      continue
    }
    // Of nothing that lives no output is made: on a disk without a byte or a file such segments can still go.
    const living = facts.liveBytes + Math.max(0, facts.tombstoneBytes + facts.deadBytes - reclaim)
    const kept = living === 0 ? 0 : facts.bytes - reclaim
    if (keptBytes + kept > room.bytes || filesFor(livingBytes + living, settings) > room.files) {
      verdicts.set(facts.number, NO_ROOM)
      continue
    }
    inputs.push(facts.number)
    bytes += facts.bytes
    keptBytes += kept
    livingBytes += living
    freedBytes += reclaim
    verdicts.set(facts.number, 'picked')
  }
  return { inputs, verdicts, freedBytes, outputs: { bytes: keptBytes, files: filesFor(livingBytes, settings) } }
}

/** True when the hour of the day lies in the window: 'always', 'never' or 'HH-HH' (local hours, may pass midnight). */
export function inWindow(window: string, hour: number): boolean {
  if (window === 'always') return true
  if (window === 'never') return false
  const [from = 0, to = 0] = window.split('-').map(Number)
  return from <= to ? hour >= from && hour <= to : hour >= from || hour <= to
}
