// Engines that make the mistakes of others: what the judge of power cuts must find out. Each is the real one with one thing done wrong.

import { dataName } from '../../src/engine/filename.ts'
import { HintBuilder, type HintResult, type HintSubject, storeHint } from '../../src/engine/hint.ts'
import { DEAD, KEEP, type Question } from '../../src/engine/merge.ts'
import { HEAD_GOOD, KIND_TOMBSTONE, KIND_TOUCH } from '../../src/engine/record.ts'
import { SegmentScanner } from '../../src/engine/scanner.ts'
import { SEGMENT_HEADER_BYTES } from '../../src/engine/segment-header.ts'
import type { Storage } from '../../src/engine/storage.ts'
import { close, open, run, type Task } from '../../src/engine/task.ts'
import type { BadBackground } from './world.ts'

/** A merge that drops every tombstone it meets: what older segments outside of it hold comes back. */
export const dropsTombstones = mergesWith((verdict) => (verdict === KEEP ? DEAD : verdict))

/** A merge that does not copy touches: a changed expiry goes with its segment. */
export const forgetsTouches = mergesWith((verdict, i, question) => (question.kinds[i] === KIND_TOUCH ? DEAD : verdict))

/** A merge that loses the last record of every question. */
export const losesRecords = mergesWith((verdict, i, question) => (i === question.count - 1 ? DEAD : verdict))

/** A merge that is told other answers than the keydir's. */
function mergesWith(other: (verdict: number, i: number, question: Question) => number): BadBackground {
  return (background) => ({
    ...background,
    merge: (job, handlers, done) => {
      const ask: typeof handlers.ask = (question, reply) =>
        handlers.ask(question, (answer) => reply(answer.map((verdict, i) => other(verdict, i, question))))
      return background.merge(job, { ...handlers, ask }, done)
    },
  })
}

/** Hints without tombstones: deletes are forgotten at the start, where older values come from another segment. */
export const hintsWithoutTombstones: BadBackground = hintsOf((kind) => kind !== KIND_TOMBSTONE)

/** Hints without touches: a changed expiry is forgotten. */
export const hintsWithoutTouches: BadBackground = hintsOf((kind) => kind !== KIND_TOUCH)

function hintsOf(takes: (kind: number) => boolean): BadBackground {
  return (background, storage) => ({
    ...background,
    hint: (subject, done) => run(badHint(storage, subject, takes), done),
  })
}

function* badHint(storage: Storage, subject: HintSubject, takes: (kind: number) => boolean): Task<HintResult> {
  const builder = new HintBuilder()
  const file = yield* open(storage, dataName(subject.number), 'read')
  try {
    const scanner = new SegmentScanner(file, subject.salt, SEGMENT_HEADER_BYTES, subject.validBytes)
    while ((yield* scanner.next()) === HEAD_GOOD) {
      if (takes(scanner.head.kind)) builder.add(scanner.bytes, scanner.head, scanner.offset)
    }
  } finally {
    yield* close(file)
  }
  yield* storeHint(storage, subject.number, builder.finish(subject))
  return { damagedAt: [] }
}
