// The password, as a digest.
//
// Only the SHA-256 of `requirepass` is kept for comparing, and what a client offers is digested before it is compared, in constant
// time. So the comparison tells nothing about how much of a guess was right, nor how long the password is. A user that does not
// exist takes the same path as one that does.

import { createHash, timingSafeEqual } from 'node:crypto'
import type { Slice } from '../base/slice.ts'

export class Passwords {
  private digest: Buffer
  private isSet: boolean

  constructor(password: string) {
    this.digest = digestOf(Buffer.from(password, 'latin1'))
    this.isSet = password !== ''
  }

  set(password: string): void {
    this.digest = digestOf(Buffer.from(password, 'latin1'))
    this.isSet = password !== ''
  }

  get required(): boolean {
    return this.isSet
  }

  /** Without a password, 'default' gets in with any. */
  check(user: string, offered: Slice): boolean {
    const matches = timingSafeEqual(digestOf(offered.bytes.subarray(offered.start, offered.end)), this.digest)
    return user === 'default' && (matches || !this.isSet)
  }
}

function digestOf(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest()
}
