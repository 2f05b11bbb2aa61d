// One writer a directory: a kernel lock (flock) that dies with the process, seen across containers that share the directory.
//
// A pid file cannot do this: in a container the server is always pid 1. Node has no flock, but a lock belongs to the open file, not to
// the program that took it: the `flock` program takes it on our descriptor, which it inherits, and exits; we hold it until we close the
// descriptor or die. The lock file is never unlinked or renamed: that would let two processes lock two files of one name.

import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { LOCK } from './filename.ts'

export interface Lock {
  release(): void
}

export class LockError extends Error {
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

/** Takes the lock of an existing directory or throws LockError: ELOCKED (somebody has it) or ENOLOCK (cannot be had here). */
export function lockDirectory(directory: string): Lock {
  const name = path.join(directory, LOCK)
  const descriptor = fs.openSync(name, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o600)
  const result = spawnSync('flock', ['-n', '-x', '3'], {
    stdio: ['ignore', 'ignore', 'pipe', descriptor],
  })
  if (result.status === 0) return { release: () => release(descriptor) }
  release(descriptor)
  if (result.status === 1) {
    throw new LockError(
      'ELOCKED',
      `${directory} is in use by another process. Stop that one first, or give this one a directory of its own (--dir).`,
    )
  }
  const why = result.error?.message ?? String(result.stderr).trim()
  throw new LockError(
    'ENOLOCK',
    `cannot lock ${directory}: ${why}. Install the flock program (util-linux or busybox), or start with --unsafe-no-lock yes and make sure that no second process ever uses this directory.`,
  )
}

// A close that reports an error (of the disk, at some file systems) has closed all the same, and the lock is gone with it.
function release(descriptor: number): void {
  try {
    fs.closeSync(descriptor)
  } catch {
    // There is nobody to tell, and nothing to do about it.
  }
}
