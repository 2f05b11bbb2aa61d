// Runs merge, hints, scrub and the reading of hints in a worker thread: the only user of node:worker_threads on this side (worker.ts is the other).
//
// The worker is started with the first job and ends with the store. Its heap is limited, and when it dies (out of memory, a bug), the
// job it had fails like any other failed job: nothing it wrote counts before the owner has committed it. The next job starts a new one.

import { Worker } from 'node:worker_threads'
import type { Background, MergeHandlers } from './background.ts'
import type { HintResult, HintSubject } from './hint.ts'
import { buffersOf, type OrderedHint } from './hint-order.ts'
import type { Answer, MergeJob, MergeResult, Question } from './merge.ts'
import type { Steering } from './pace.ts'
import type { ScrubJob, ScrubResult } from './scrub.ts'

const HEAP_MB = 512

/** What is said between the threads. `id` is the job's. */
export type ToWorker =
  | { kind: 'hint'; id: number; number: number; saltLow: number; saltHigh: number; validBytes: number }
  | { kind: 'order'; id: number; subject: HintSubject; seed: number; spare: OrderedHint | null }
  | { kind: 'merge'; id: number; job: MergeJob }
  | { kind: 'scrub'; id: number; job: ScrubJob }
  | { kind: 'answer'; id: number; answer: Answer }
  | { kind: 'pause' | 'resume' | 'cancel'; id: number }
  | { kind: 'limit'; id: number; bytesPerSecond: number }

export type FromWorker =
  | { kind: 'ask'; id: number; question: Question }
  | { kind: 'progress'; id: number; bytesRead: number; bytesWritten: number }
  | { kind: 'hinted'; id: number; result: HintResult }
  | { kind: 'ordered'; id: number; result: OrderedHint | null }
  | { kind: 'merged'; id: number; result: MergeResult }
  | { kind: 'scrubbed'; id: number; result: ScrubResult }
  | {
      kind: 'failed'
      id: number
      message: string
      code: string | undefined
      segment: number | undefined
      offset: number | undefined
    }

interface Job {
  readonly handlers: Partial<MergeHandlers> | null
  readonly done: (error: Error | null, result: unknown) => void
}

export function workerBackground(directory: string): Background {
  let worker: Worker | null = null
  let nextId = 1
  const jobs = new Map<number, Job>()

  const failAll = (error: Error): void => {
    worker = null
    const failed = [...jobs.values()]
    jobs.clear()
    for (const job of failed) job.done(error, undefined)
  }

  const receive = (message: FromWorker): void => {
    const job = jobs.get(message.id)
    if (job === undefined) return
    switch (message.kind) {
      case 'ask':
        job.handlers?.ask?.(message.question, (answer) => send({ kind: 'answer', id: message.id, answer }))
        return
      case 'progress':
        job.handlers?.progress?.(message.bytesRead, message.bytesWritten)
        return
      case 'failed': {
        const { code, segment, offset } = message
        end(message.id, Object.assign(new Error(message.message), { code, segment, offset }), undefined)
        return
      }
      default:
        end(message.id, null, message.result)
    }
  }

  const send = (message: ToWorker, handedOver: readonly ArrayBuffer[] = []): void => {
    worker?.postMessage(message, handedOver)
  }

  const begin = (): Worker => {
    const fresh = new Worker(new URL(workerFile(), import.meta.url), {
      workerData: { directory },
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
    })
    fresh.on('message', receive)
    fresh.on('error', (error) => {
      if (worker === fresh) failAll(error)
    })
    fresh.on('exit', () => {
      if (worker === fresh) failAll(new Error('the background thread has ended'))
    })
    return fresh
  }

  // Where the system has no thread to give (a limit of processes), Node says so from the constructor. Told later, as every other failure.
  const start = (job: Job): number => {
    const id = nextId++
    jobs.set(id, job)
    try {
      worker ??= begin()
      worker.ref() // who waits for a job waits for the thread: else a program with nothing else to do would end
    } catch (error) {
      queueMicrotask(() => end(id, error as Error, undefined))
    }
    return id
  }

  const end = (id: number, error: Error | null, result: unknown): void => {
    const job = jobs.get(id)
    jobs.delete(id)
    if (jobs.size === 0) worker?.unref()
    job?.done(error, result)
  }

  const steering = (id: number): Steering => ({
    pause: () => send({ kind: 'pause', id }),
    resume: () => send({ kind: 'resume', id }),
    limit: (bytesPerSecond) => send({ kind: 'limit', id, bytesPerSecond }),
    cancel: () => send({ kind: 'cancel', id }),
  })

  return {
    hint(subject, done) {
      const id = start({ handlers: null, done: done as Job['done'] })
      const { number, salt, validBytes } = subject
      send({ kind: 'hint', id, number, saltLow: salt.low, saltHigh: salt.high, validBytes })
    },
    merge(job, handlers, done): Steering {
      const id = start({ handlers, done: done as Job['done'] })
      // Handed over, not copied: there may be millions of places.
      send(
        { kind: 'merge', id, job },
        job.inputs.flatMap(({ places }) => (places === null ? [] : [places.buffer])),
      )
      return steering(id)
    },
    scrub(job, progress, done): Steering {
      const id = start({ handlers: { progress }, done: done as Job['done'] })
      send({ kind: 'scrub', id, job })
      return steering(id)
    },
    order({ number, salt, validBytes }, seed, spare, done) {
      const id = start({ handlers: null, done: done as Job['done'] })
      const handedOver = spare === null ? [] : buffersOf(spare)
      send({ kind: 'order', id, subject: { number, salt, validBytes }, seed, spare }, handedOver)
    },
    close(done) {
      const ending = worker
      failAll(new Error('the store is closing'))
      if (ending === null) done()
      else void ending.terminate().then(() => done())
    },
  }
}

// Built: worker.js beside this file, and beside the file that the server was bundled into. Run from source (tests, `npm run dev`): the built
// one, since a worker thread does not inherit the loader that makes TypeScript run.
function workerFile(): string {
  return import.meta.url.endsWith('.ts') ? '../../dist/engine/worker.js' : './worker.js'
}
