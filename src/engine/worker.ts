// The background thread: drives merge, hint, scrub and order tasks on files of its own. See worker-driver.ts for what is said between the threads.

import { parentPort, workerData } from 'node:worker_threads'
import { systemClock } from '../base/clock.ts'
import { makeHint } from './hint.ts'
import { buffersOf, orderedHint } from './hint-order.ts'
import { type Answer, mergeTask } from './merge.ts'
import { nodeStorage } from './node-storage.ts'
import { Pace } from './pace.ts'
import { scrubSegment } from './scrub.ts'
import { run } from './task.ts'
import type { FromWorker, ToWorker } from './worker-driver.ts'

const port = parentPort
if (port === null) throw new Error('this file is the background thread of the engine; start main.js instead')

const storage = nodeStorage((workerData as { directory: string }).directory, true)
const paces = new Map<number, Pace>()
const waiting = new Map<number, (answer: Answer) => void>()

// Typed arrays are handed over, not copied: for a large merge copying them would hold up the event loop.
const send = (message: FromWorker, arrays: readonly { readonly buffer: ArrayBufferLike }[] = []): void =>
  port.postMessage(message, [...new Set(arrays.map((array) => array.buffer as ArrayBuffer))])

function failed(id: number, error: Error): void {
  const { code, segment, offset } = error as { code?: string; segment?: number; offset?: number }
  send({ kind: 'failed', id, message: error.message, code, segment, offset })
}

port.on('message', (message: ToWorker) => {
  const { id } = message
  switch (message.kind) {
    case 'hint': {
      const { number, saltLow: low, saltHigh: high, validBytes } = message
      run(makeHint(storage, { number, salt: { low, high }, validBytes }), (error, result) => {
        if (error !== null || result === undefined) failed(id, error ?? new Error('no result'))
        else send({ kind: 'hinted', id, result })
      })
      return
    }
    case 'order':
      run(orderedHint(storage, message.subject, message.seed, message.spare), (error, result) => {
        if (error !== null || result === undefined) failed(id, error ?? new Error('no result'))
        else port.postMessage({ kind: 'ordered', id, result }, result === null ? [] : buffersOf(result))
      })
      return
    case 'merge': {
      const pace = new Pace(systemClock, message.job.rateBytesPerSecond)
      paces.set(id, pace)
      const handlers = {
        ask: (
          question: Parameters<Parameters<typeof mergeTask>[2]['ask']>[0],
          reply: (answer: Answer) => void,
        ): void => {
          waiting.set(id, reply)
          const { kinds, databases, slots, offsets, sequences, keyStarts, keys } = question
          send({ kind: 'ask', id, question }, [kinds, databases, slots, offsets, sequences, keyStarts, keys])
        },
        progress: (bytesRead: number, bytesWritten: number): void => {
          send({ kind: 'progress', id, bytesRead, bytesWritten })
        },
      }
      run(mergeTask(storage, message.job, handlers, pace), (error, result) => {
        paces.delete(id)
        waiting.delete(id)
        if (error !== null || result === undefined) failed(id, error ?? new Error('no result'))
        else {
          const { kinds, entries, fromSlots, fromOffsets, outputs, toOffsets, sequences } = result.moves
          send({ kind: 'merged', id, result }, [kinds, entries, fromSlots, fromOffsets, outputs, toOffsets, sequences])
        }
      })
      return
    }
    case 'scrub': {
      const pace = new Pace(systemClock, message.job.rateBytesPerSecond)
      paces.set(id, pace)
      const progress = (bytesRead: number): void => send({ kind: 'progress', id, bytesRead, bytesWritten: 0 })
      run(scrubSegment(storage, message.job, pace, progress), (error, result) => {
        paces.delete(id)
        if (error !== null || result === undefined) failed(id, error ?? new Error('no result'))
        else send({ kind: 'scrubbed', id, result })
      })
      return
    }
    case 'answer': {
      const reply = waiting.get(id)
      waiting.delete(id)
      reply?.(message.answer)
      return
    }
    case 'pause':
      paces.get(id)?.pause()
      return
    case 'resume':
      paces.get(id)?.resume()
      return
    case 'limit':
      paces.get(id)?.limit(message.bytesPerSecond)
      return
    case 'cancel':
      paces.get(id)?.cancel()
      return
  }
})
