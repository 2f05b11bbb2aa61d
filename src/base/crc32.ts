// CRC-32 (IEEE 802.3, the zip one), the one door to it.
//
// Three implementations of the same function, chosen by length because each wins somewhere (Node 20, this project's records):
//   up to 351 bytes   slicing-by-8 over tables derived from crc-32's, in place: no view is allocated, which is most of what
//                     the package itself costs on an 80-byte record
//   from 352 bytes    zlib.crc32: native, 4 GB/s, but ~200 ns to get there
// test/base/crc32.test.ts holds all of them to the package.

import * as zlib from 'node:zlib'
import CRC32 from 'crc-32'

const NATIVE_FROM_BYTES = 352

type NativeCrc = (bytes: Uint8Array, seed: number) => number
const nativeCrc = (zlib as unknown as { crc32: NativeCrc }).crc32

// The package exports its table, its types do not say so.
const byteTable = (CRC32 as unknown as { table: Int32Array }).table

// tables[k * 256 + b]: the crc of byte b followed by k zero bytes.
const tables = new Int32Array(8 * 256)
for (let b = 0; b < 256; b++) {
  let crc = byteTable[b] as number
  tables[b] = crc
  for (let k = 1; k < 8; k++) {
    crc = (crc >>> 8) ^ (byteTable[crc & 0xff] as number)
    tables[k * 256 + b] = crc
  }
}

/**
 * CRC-32 of bytes[start, end), as an unsigned 32-bit number. `seed` is the crc of what came before (0 at first), so that
 * crc32(b, ..., crc32(a, ...)) is the crc of a and b together.
 */
export function crc32(bytes: Uint8Array, start: number, end: number, seed = 0): number {
  if (end - start >= NATIVE_FROM_BYTES) return nativeCrc(bytes.subarray(start, end), seed)
  const t = tables
  let crc = ~seed
  let i = start
  for (const last = end - 8; i <= last; i += 8) {
    const low =
      crc ^
      ((bytes[i] as number) |
        ((bytes[i + 1] as number) << 8) |
        ((bytes[i + 2] as number) << 16) |
        ((bytes[i + 3] as number) << 24))
    crc =
      (t[1792 + (low & 0xff)] as number) ^
      (t[1536 + ((low >>> 8) & 0xff)] as number) ^
      (t[1280 + ((low >>> 16) & 0xff)] as number) ^
      (t[1024 + (low >>> 24)] as number) ^
      (t[768 + (bytes[i + 4] as number)] as number) ^
      (t[512 + (bytes[i + 5] as number)] as number) ^
      (t[256 + (bytes[i + 6] as number)] as number) ^
      (t[bytes[i + 7] as number] as number)
  }
  for (; i < end; i++) crc = (crc >>> 8) ^ (t[(crc ^ (bytes[i] as number)) & 0xff] as number)
  return ~crc >>> 0
}
