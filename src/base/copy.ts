// Copying bytes: a call into C++, and the view that it needs, cost as much as a loop over some 50 to 90 bytes (measured, Node 20 and 24).

const LOOP_BYTES = 64

/** Copies source[start, end) to target at `at`. */
export function copyBytes(source: Uint8Array, start: number, end: number, target: Uint8Array, at: number): void {
  if (end - start > LOOP_BYTES) {
    target.set(source.subarray(start, end), at)
    return
  }
  for (let i = start; i < end; i++) target[at++] = source[i] as number
}
