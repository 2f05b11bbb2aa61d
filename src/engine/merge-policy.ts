// When to merge, and what. Pure functions: statistics in, decision out. The ideas and defaults are Bitcask's (Sheehy and Smith 2010, and
// the options of its Erlang implementation): a *trigger* starts a merge, lower *thresholds* say what else is worth taking along.

import type { EngineSettings } from './engine.ts'

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
}

export interface Choice {
  readonly inputs: readonly number[]
  /** For each segment: picked, or why not. */
  readonly verdicts: ReadonlyMap<number, string>
  /** Bytes that would go. */
  readonly freedBytes: number
}

/** Bytes read by one merge: its inputs stay on disk until its outputs count, so a large one needs much room for long. */
const MAX_MERGE_BYTES = 512 * 1024 * 1024
/** Each input is an open file and a window of memory. */
const MAX_MERGE_INPUTS = 64
/** Small segments are only merged for being small when there are several: one alone would be copied again and again. */
const SMALL_FILES = 3
/** The verdict on what has to wait until others have made room. */
export const NO_ROOM = 'no room: what lives of it does not fit on the disk'

/**
 * Tombstones can go when nothing older remains outside. A segment's tombstones are taken for droppable when every other segment that is
 * older is gone or merged with it; else they count as neither dead nor live, or the same segment would be picked for ever.
 */
function droppableTombstones(segment: SegmentFacts, oldest: Oldest): number {
  const lowest = oldest.number === segment.number ? oldest.nextLowSequence : oldest.lowSequence
  return lowest < segment.highSequence ? 0 : segment.tombstoneBytes
}

/** The segment with the lowest sequence of all, and the lowest of all others. */
interface Oldest {
  number: number
  lowSequence: number
  nextLowSequence: number
}

function findOldest(all: readonly SegmentFacts[]): Oldest {
  const oldest = { number: 0, lowSequence: Number.POSITIVE_INFINITY, nextLowSequence: Number.POSITIVE_INFINITY }
  for (const { number, lowSequence } of all) {
    if (lowSequence === 0) continue
    if (lowSequence < oldest.lowSequence) {
      oldest.nextLowSequence = oldest.lowSequence
      oldest.lowSequence = lowSequence
      oldest.number = number
    } else if (lowSequence < oldest.nextLowSequence) {
      oldest.nextLowSequence = lowSequence
    }
  }
  return oldest
}

/** On a full disk every segment with so many percent of dead records is worth it. */
const FRAGMENTATION_WHEN_FULL = 5

/** What counts while the disk is full. */
export const whenFull = (settings: EngineSettings): EngineSettings => ({
  ...settings,
  mergeTriggerFragmentation: Math.min(settings.mergeTriggerFragmentation, FRAGMENTATION_WHEN_FULL),
  mergeThresholdFragmentation: Math.min(settings.mergeThresholdFragmentation, FRAGMENTATION_WHEN_FULL),
})

/**
 * What a merge would take now. `asked`: somebody said MERGE, so anything worth it counts, not only what passes a trigger. `roomBytes`: what the
 * outputs may have; a segment whose live records do not fit waits until others have made room.
 */
export function chooseInputs(
  all: readonly SegmentFacts[],
  settings: EngineSettings,
  asked: boolean,
  roomBytes = Number.POSITIVE_INFINITY,
): Choice {
  const verdicts = new Map<number, string>()
  const candidates: { facts: SegmentFacts; reclaim: number; share: number }[] = []
  const small: SegmentFacts[] = []
  const oldest = findOldest(all)
  let triggered = asked
  // A segment is small only if it is also far from a full one: with tiny segments the threshold alone would call all of them small.
  const smallBelow = Math.min(settings.mergeThresholdSmallFile, settings.segmentSizeBytes / 2)
  for (const facts of all) {
    if (!facts.sealed) verdicts.set(facts.number, 'open: still written to')
    else if (facts.damaged) verdicts.set(facts.number, 'damaged: kept as it is')
    else {
      const reclaim = facts.deadBytes + droppableTombstones(facts, oldest)
      const share = facts.bytes === 0 ? 0 : (reclaim * 100) / facts.bytes
      if (reclaim >= settings.mergeTriggerDeadBytes || share >= settings.mergeTriggerFragmentation) triggered = true
      const worth =
        reclaim > 0 &&
        (asked || reclaim >= settings.mergeThresholdDeadBytes || share >= settings.mergeThresholdFragmentation)
      if (worth) candidates.push({ facts, reclaim, share })
      else if (facts.bytes < smallBelow) small.push(facts)
      else verdicts.set(facts.number, reclaim === 0 ? 'nothing dead' : 'too little dead')
    }
  }
  const manySmall = small.length >= SMALL_FILES
  if (manySmall) {
    triggered = true
    for (const facts of small) candidates.push({ facts, reclaim: facts.deadBytes, share: 0 })
  } else {
    for (const facts of small) verdicts.set(facts.number, 'small, but alone')
  }
  if (!triggered) {
    for (const { facts } of candidates) verdicts.set(facts.number, 'worth it, but nothing has passed a trigger')
    return { inputs: [], verdicts, freedBytes: 0 }
  }
  // Most reclaimed for least copied first, within one merge's size.
  candidates.sort((a, b) => b.share - a.share || a.facts.number - b.facts.number)
  const inputs: number[] = []
  let bytes = 0
  let keptBytes = 0
  let freedBytes = 0
  for (const { facts, reclaim } of candidates) {
    if (inputs.length === MAX_MERGE_INPUTS || (inputs.length > 0 && bytes + facts.bytes > MAX_MERGE_BYTES)) {
      verdicts.set(facts.number, 'next time: this merge is large enough')
      continue
    }
    const kept = facts.bytes - reclaim
    if (keptBytes + kept > roomBytes) {
      verdicts.set(facts.number, NO_ROOM)
      continue
    }
    inputs.push(facts.number)
    bytes += facts.bytes
    keptBytes += kept
    freedBytes += reclaim
    verdicts.set(facts.number, 'picked')
  }
  return { inputs, verdicts, freedBytes }
}

/** True when the hour of the day lies in the window: 'always', 'never' or 'HH-HH' (local hours, may pass midnight). */
export function inWindow(window: string, hour: number): boolean {
  if (window === 'always') return true
  if (window === 'never') return false
  const [from = 0, to = 0] = window.split('-').map(Number)
  return from <= to ? hour >= from && hour <= to : hour >= from || hour <= to
}
