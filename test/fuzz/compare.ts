// Holds two transcripts of one batch against each other. Equal bytes are equal; where two right servers may answer with
// different bytes, a row of allowances.ts judges the meaning.
//
// An EXEC is judged command by command, by what was queued: which commands those are is told by redis-server's +QUEUED.

import { parseReply } from '../harness/resp.ts'
import { allows } from './allowances.ts'
import type { Outcome } from './play.ts'
import { nameOf, type Step } from './step.ts'
import type { Frame } from './wire.ts'

export interface Finding {
  /** Index of the step; the number of steps when only the state differs. */
  readonly at: number
  /** Which command it is about. */
  readonly command: string
  readonly expected: string
  readonly got: string
}

/** The first difference, or undefined. */
export function compare(
  steps: readonly Step[],
  theirs: readonly Outcome[],
  ours: readonly Outcome[],
): Finding | undefined {
  const queues = new Map<string, string[][]>()
  for (const [at, step] of steps.entries()) {
    const expected = theirs[at]!
    const got = ours[at]!
    const queue = queues.get(step.on) ?? []
    const command = nameOf(step.words)
    const finding = {
      at,
      command: command === 'EXEC' ? `EXEC ${queue.map(nameOf)}` : command,
      expected: told(expected),
      got: told(got),
    }
    if (expected.end !== got.end) return finding
    if (!sameFrames(step, queue, expected.frames, got.frames)) return finding
    queues.set(step.on, queueAfter(step, queue, expected.frames))
  }
  return undefined
}

function sameFrames(step: Step, queue: readonly string[][], theirs: readonly Frame[], ours: readonly Frame[]): boolean {
  if (theirs.length !== ours.length) return false
  if (theirs.every((frame, i) => frame.raw.equals(ours[i]!.raw))) return true
  if (step.on === 's' || step.on === 't') return sameWithMessages(step, inOneOrder(theirs), inOneOrder(ours))
  if (step.kind === 'closing') return false
  return theirs.every((frame, i) => {
    const mine = ours[i]!
    if (frame.raw.equals(mine.raw)) return true
    if (i < theirs.length - 1) return false // pushes have no allowances
    if (nameOf(step.words) === 'EXEC' && queue.length > 0) return sameParts(queue, frame, mine)
    return allows(step.words, frame, mine)
  })
}

/** Frames of somebody to whom messages come: its answer may stand anywhere among them. */
function sameWithMessages(step: Step, theirs: readonly Frame[], ours: readonly Frame[]): boolean {
  return theirs.every((frame, i) => frame.raw.equals(ours[i]!.raw) || allows(step.words, frame, ours[i]!))
}

/** The replies in an EXEC's array, each judged by its command. */
function sameParts(queue: readonly string[][], theirs: Frame, ours: Frame): boolean {
  const expected = parts(theirs.raw)
  const got = parts(ours.raw)
  if (expected.length !== queue.length || got.length !== queue.length) return false
  return queue.every((words, i) => expected[i]!.raw.equals(got[i]!.raw) || allows(words, expected[i]!, got[i]!))
}

function parts(array: Buffer): Frame[] {
  const frames: Frame[] = []
  let at = array.indexOf('\r\n') + 2
  while (at < array.length) {
    const parsed = parseReply(array, at)
    if (parsed === undefined) break
    frames.push({ raw: array.subarray(at, parsed.end), value: parsed.value })
    at = parsed.end
  }
  return frames
}

function queueAfter(step: Step, queue: string[][], replies: readonly Frame[]): string[][] {
  if (step.kind === 'closing') return []
  if (replies.at(-1)?.raw.equals(QUEUED)) return [...queue, [...step.words]]
  const name = nameOf(step.words)
  const ends =
    name === 'EXEC' || name === 'DISCARD' || name === 'RESET' || step.kind === 'silent' || step.kind === 'expiring'
  return ends ? [] : queue
}

const QUEUED = Buffer.from('+QUEUED\r\n')

/**
 * Neighbours whose order says nothing, put in one order. Redis keeps patterns in a hash table, so of one message those that
 * match come in any order; and what one command has invalidated (the two keys of RENAME, a key under two prefixes) is told in
 * the order in which the server works, which no client can use.
 */
function inOneOrder(frames: readonly Frame[]): Frame[] {
  const ordered = [...frames]
  for (let i = 1; i < ordered.length; ) {
    const before = ordered[i - 1]!
    const here = ordered[i]!
    const group = groupOf(here)
    if (group !== undefined && group === groupOf(before) && before.raw.compare(here.raw) > 0) {
      ordered[i - 1] = here
      ordered[i] = before
      i = Math.max(1, i - 1)
    } else {
      i++
    }
  }
  return ordered
}

/** Frames of one group may stand in any order; undefined: this one has its place. */
function groupOf(frame: Frame): string | undefined {
  const head = frame.raw.subarray(0, 60)
  if (head.includes('\ninvalidate') || head.includes('__redis__:invalidate')) return 'invalidate'
  if (!head.subarray(0, 20).includes('pmessage')) return undefined
  const [, , channel, text] = parts(frame.raw) // behind the pattern
  return `${channel?.raw.toString('latin1')}${text?.raw.toString('latin1')}`
}

function told(outcome: Outcome): string {
  const text = outcome.frames.map((frame) => frame.raw.toString('latin1')).join('')
  return outcome.end === undefined ? text : `${text}<${outcome.end}>`
}
