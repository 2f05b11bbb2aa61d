// Where long reading and writing runs: merge, hints, scrub, and the reading of hints at a start.
//
// They are tasks over a Storage (merge.ts, hint.ts, scrub.ts). In the server a worker thread drives them (worker-driver.ts), so that copying and
// checking gigabytes costs the event loop nothing; in simulation and tests they run inline, on the same storage as everything else, step
// by step under one seed. The one question a merge has for the main thread, which records of a batch are live, goes through `ask`.

import type { Clock } from '../base/clock.ts'
import { type HintResult, type HintSubject, makeHint } from './hint.ts'
import { type OrderedHint, orderedHint } from './hint-order.ts'
import { type Answer, type MergeJob, type MergeResult, mergeTask, type Question } from './merge.ts'
import { Pace, type Steering } from './pace.ts'
import { type ScrubJob, type ScrubResult, scrubSegment } from './scrub.ts'
import type { Storage } from './storage.ts'
import { run } from './task.ts'

export interface MergeHandlers {
  /** Which records of a batch are live: see merge.ts. */
  ask(question: Question, reply: (answer: Answer) => void): void
  progress(bytesRead: number, bytesWritten: number): void
}

export interface Background {
  hint(subject: HintSubject, done: (error: Error | null, result: HintResult | undefined) => void): void
  merge(
    job: MergeJob,
    handlers: MergeHandlers,
    done: (error: Error | null, result: MergeResult | undefined) => void,
  ): Steering
  /** Reads one segment: see scrub.ts. `progress` is told the bytes read so far. */
  scrub(
    job: ScrubJob,
    progress: (bytesRead: number) => void,
    done: (error: Error | null, result: ScrubResult | undefined) => void,
  ): Steering
  /** Reads a segment's hint in the order that loading it is fast in: see hint-order.ts. `spare` is no longer the caller's. */
  order(
    subject: HintSubject,
    seed: number,
    spare: OrderedHint | null,
    done: (error: Error | null, hint: OrderedHint | null) => void,
  ): void
  /** Ends what runs; calls back when nothing touches the files any more. */
  close(done: () => void): void
}

export function inlineBackground(storage: Storage, clock: Clock): Background {
  let running = 0
  let idle: (() => void) | null = null
  const ended = (): void => {
    if (--running === 0) idle?.()
  }
  return {
    hint(subject, done) {
      running++
      run(makeHint(storage, subject), (error, result) => {
        done(error, result)
        ended()
      })
    },
    merge(job, handlers, done) {
      const pace = new Pace(clock, job.rateBytesPerSecond)
      running++
      run(mergeTask(storage, job, handlers, pace), (error, result) => {
        done(error, result)
        ended()
      })
      return pace
    },
    scrub(job, progress, done) {
      const pace = new Pace(clock, job.rateBytesPerSecond)
      running++
      run(scrubSegment(storage, job, pace, progress), (error, result) => {
        done(error, result)
        ended()
      })
      return pace
    },
    order(subject, seed, spare, done) {
      running++
      run(orderedHint(storage, subject, seed, spare), (error, hint) => {
        done(error, hint ?? null)
        ended()
      })
    },
    close(done) {
      if (running === 0) done()
      else idle = done
    },
  }
}
