// Which records of a merge live, as the keydir's owner answers it: a record lives if the keydir points at its place.
//
// The task asks in batches (merge.ts), about what it has read; and what lived then is looked at once more before its entry moves (merger.ts), since the
// clients have not waited.

import { Slice } from '../base/slice.ts'
import { MAX_SPANS, Spans } from '../base/spans.ts'
import type { Bitcask } from './bitcask.ts'
import { NONE } from './engine.ts'
import { type Answer, DEAD, KEEP, type Question } from './merge.ts'
import { KIND_SYSTEM, KIND_TOMBSTONE, KIND_TOUCH } from './record.ts'

export class Verdicts {
  private readonly store: Bitcask
  private readonly key = new Slice()
  private readonly ahead = new Spans()

  constructor(store: Bitcask) {
    this.store = store
  }

  /** For each record its entry, or what else is to become of it. */
  answer(question: Question): Answer {
    const answer = new Int32Array(question.count)
    const keys = Buffer.from(question.keys.buffer, question.keys.byteOffset, question.keys.length)
    for (let i = 0; i < question.count; i++) {
      if (i % MAX_SPANS === 0) this.warmUp(question, keys, i)
      this.key.set(keys, question.keyStarts[i] as number, question.keyStarts[i + 1] as number)
      answer[i] = this.judge(question, i)
    }
    return answer
  }

  // Each record read is a key looked up, on the thread that serves the clients: the next ones together cost half (keydir.ts).
  private warmUp(question: Question, bytes: Buffer, first: number): void {
    const { ahead } = this
    const last = Math.min(question.count, first + MAX_SPANS)
    ahead.bytes = bytes
    ahead.count = 0
    for (let i = first; i < last; i++) {
      if (question.databases[i] !== question.databases[first]) continue
      ahead.starts[ahead.count] = question.keyStarts[i] as number
      ahead.ends[ahead.count++] = question.keyStarts[i + 1] as number
    }
    this.store.keydir.prefetch(question.databases[first] as number, ahead)
  }

  private judge(question: Question, i: number): number {
    const { keydir, system, segments } = this.store
    const kind = question.kinds[i] as number
    const slot = question.slots[i] as number
    const offset = question.offsets[i] as number
    const sequence = question.sequences[i] as number
    if (kind === KIND_SYSTEM) {
      const current = system.segment === segments.at(slot) && system.offset === offset
      return current ? 0 : DEAD
    }
    const entry = keydir.find(question.databases[i] as number, this.key)
    if (kind === KIND_TOMBSTONE) return entry !== NONE && keydir.sequence(entry) > sequence ? DEAD : KEEP
    if (entry === NONE) return DEAD
    if (kind === KIND_TOUCH) return this.isTouch(entry, slot, offset, sequence) ? entry : DEAD
    return this.isPlace(entry, slot, offset, sequence) ? entry : DEAD
  }

  /** The entry's value is the record there. */
  isPlace(entry: number, slot: number, offset: number, sequence: number): boolean {
    const { keydir } = this.store
    return keydir.segment(entry) === slot && keydir.offset(entry) === offset && keydir.sequence(entry) === sequence
  }

  /** The entry's touch is the record there. */
  isTouch(entry: number, slot: number, offset: number, sequence: number): boolean {
    const { keydir } = this.store
    return (
      keydir.hasRow(entry) &&
      keydir.touchSequence(entry) === sequence &&
      keydir.touchSegment(entry) === slot &&
      keydir.touchOffset(entry) === offset
    )
  }
}
