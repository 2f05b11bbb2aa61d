// Where the keydir and the value cache get their memory: SharedArrayBuffer, outside the V8 heap, so that a collection neither walks
// nor moves it, and a worker could look at it. Everything here is zero at first, and the system lends it page by page when touched.
//
// Structures grow by chunks of this one size. It bounds the slack (each structure has at most one chunk begun and a little more) and the
// work of growing (one allocation, nothing is copied). At 512 KiB, 50 million keys are about 4,000 chunks: few objects for V8.

export const CHUNK_BYTES = 512 * 1024

export function sharedMemory(bytes: number): SharedArrayBuffer {
  return new SharedArrayBuffer(bytes)
}

export function sharedBytes(bytes: number): Buffer {
  return Buffer.from(sharedMemory(bytes))
}

export function sharedInts(count: number): Int32Array {
  return new Int32Array(sharedMemory(count * 4))
}

export function sharedWords(count: number): Uint32Array {
  return new Uint32Array(sharedMemory(count * 4))
}

export function sharedDoubles(count: number): Float64Array {
  return new Float64Array(sharedMemory(count * 8))
}

/** The bytes behind a typed array, as a part of an image. */
export function bytesOf(array: Int32Array | Uint32Array | Float64Array | Uint8Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
}

/** Copies source[start, end) to target at `at`. A call into C++ costs more than a loop over a few hundred bytes (measured: 256). */
export function copyBytes(source: Uint8Array, start: number, end: number, target: Uint8Array, at: number): void {
  if (end - start > 256) {
    target.set(source.subarray(start, end), at)
    return
  }
  for (let i = start; i < end; i++) target[at++] = source[i] as number
}
