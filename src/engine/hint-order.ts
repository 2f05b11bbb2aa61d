// A hint's records by the hashes of their keys: how a start loads millions of them.
//
// In the order of the log each record's key falls on another page of the index, and finding that page in memory costs more than all else. Put in
// order by the top bits of the hash, which choose the page (keydir/buckets.ts), some hundred records in a row meet the few pages of one part of the
// index, which stay in the processor's cache. The order is made by the background thread, a hint ahead of the one that is being loaded, so that two
// processors share the work: reading, checking and hashing there, the keydir here. Measured, 10 million keys after a kill -9: the event loop's
// thread worked for 8.1 s, now for 4.6 s, and the other one for 2.4 s beside it (with what buckets.ts and scanner.ts do for it).
//
// Records of one key keep their order, though nothing depends on it: the newest sequence wins, in whatever order records come.
//
// The memory goes to and fro between the threads: pages fresh from the system were 1.3 of the other thread's 3 s.

import { type Hint, type HintSubject, hintEntryEnd, hintEntryKey, readHint } from './hint.ts'
import { KeyHash } from './keydir/key-hash.ts'
import type { Storage } from './storage.ts'
import type { Task } from './task.ts'

/** 512 parts: with 50 million keys each is still no more than 1 MiB of the index. */
const PART_BITS = 9
const PARTS = 1 << PART_BITS
const PART_SHIFT = 32 - PART_BITS

export interface OrderedHint {
  /** The records, as in the hint. */
  readonly bytes: Uint8Array
  /** The hash of each record's key, in their order. */
  readonly hashes: Int32Array
  /** What the hint was read into: of no use but as memory for the next one. */
  readonly read: Uint8Array
}

/**
 * Reads and checks the hint of a segment and orders its records for a keydir whose hash has that seed. Null: there is none that can be used.
 * `spare`: one that is not needed any more; its memory is taken.
 */
export function* orderedHint(
  storage: Storage,
  subject: HintSubject,
  seed: number,
  spare: OrderedHint | null,
): Task<OrderedHint | null> {
  const hint = yield* readHint(storage, subject, (bytes) => Buffer.from(memory(spare?.read, bytes), 0, bytes))
  return hint === null ? null : orderHint(hint, new KeyHash(seed), spare)
}

/** `keyHash`: that of the keydir which the records are for. */
export function orderHint(hint: Hint, keyHash: KeyHash, spare: OrderedHint | null = null): OrderedHint {
  const { bytes, view, count, recordsEnd } = hint
  const inOrder = new Int32Array(count)
  // Where each part goes on, in bytes and in records: first their sizes, one place further on.
  const byteAt = new Uint32Array(PARTS + 1)
  const recordAt = new Uint32Array(PARTS + 1)
  for (let at = 0, i = 0; at < recordsEnd; i++) {
    const key = hintEntryKey(view, at)
    const end = hintEntryEnd(view, at)
    const hash = keyHash.of(view.getUint32(at + 4, true), bytes, key, key + view.getUint32(at + 8, true))
    inOrder[i] = hash
    const part = (hash >>> PART_SHIFT) + 1
    byteAt[part] = (byteAt[part] as number) + end - at
    recordAt[part] = (recordAt[part] as number) + 1
    at = end
  }
  for (let part = 1; part <= PARTS; part++) {
    byteAt[part] = (byteAt[part] as number) + (byteAt[part - 1] as number)
    recordAt[part] = (recordAt[part] as number) + (recordAt[part - 1] as number)
  }
  const ordered = new Uint8Array(memory(spare?.bytes, recordsEnd), 0, recordsEnd)
  const hashes = new Int32Array(memory(spare?.hashes, count * 4), 0, count)
  for (let at = 0, i = 0; at < recordsEnd; i++) {
    const end = hintEntryEnd(view, at)
    const hash = inOrder[i] as number
    const part = hash >>> PART_SHIFT
    let to = byteAt[part] as number
    for (; at < end; at++, to++) ordered[to] = bytes[at] as number
    byteAt[part] = to
    const record = recordAt[part] as number
    hashes[record] = hash
    recordAt[part] = record + 1
  }
  return { bytes: ordered, hashes, read: bytes }
}

/** The memory of an ordered hint, to be handed to the other thread. */
export function buffersOf({ bytes, hashes, read }: OrderedHint): ArrayBuffer[] {
  return [bytes.buffer, hashes.buffer, read.buffer] as ArrayBuffer[]
}

/** At least so many bytes, from its beginning: those behind `used` if they are enough. A little more than needed, for a next hint that is a bit longer. */
function memory(used: Uint8Array | Int32Array | undefined, bytes: number): ArrayBuffer {
  if (used !== undefined && used.buffer.byteLength >= bytes) return used.buffer as ArrayBuffer
  return new ArrayBuffer(bytes + (bytes >>> 3))
}
