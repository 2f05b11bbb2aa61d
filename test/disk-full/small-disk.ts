// A disk that can be full: a tmpfs of few bytes or few inodes, mounted for a test.
//
// The kernel itself says ENOSPC here, at the call and with the short write it says it with, and statfs tells the truth about what is left. The
// disk can be filled from outside (somebody else's file), made larger while it is in use, and looked at by nobody else. Needs root.

import { spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readdirSync, rmdirSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** True when the tests that mount have to be skipped. Throws where CI=true. */
export function skipWithoutMounts(): boolean {
  let disk: SmallDisk
  try {
    disk = SmallDisk.mount({ bytes: 64 * 1024 })
  } catch (error) {
    const line = `a tmpfs cannot be mounted (${(error as Error).message.trim()}): the tests on full disks are skipped`
    if (process.env.CI === 'true') throw new Error(`${line}, and CI=true forbids that`)
    console.warn(line)
    return true
  }
  disk.unmount()
  return false
}

export interface DiskSize {
  readonly bytes: number
  /** Files and directories it can hold, its root included. Default: plenty. */
  readonly inodes?: number
}

export class SmallDisk {
  /** Where it is mounted. */
  readonly path: string
  private isMounted = true
  private foreign = 0 // files made by fillInodes

  private constructor(path: string) {
    this.path = path
  }

  static mount({ bytes, inodes = 4096 }: DiskSize): SmallDisk {
    const path = mkdtempSync(join(tmpdir(), 'casky-small-disk-'))
    try {
      command('mount', '-t', 'tmpfs', '-o', `size=${bytes},nr_inodes=${inodes},mode=0700`, 'casky-test', path)
    } catch (error) {
      rmdirSync(path)
      throw error
    }
    return new SmallDisk(path)
  }

  /** Another size, while it is in use. */
  resize({ bytes, inodes = 4096 }: DiskSize): void {
    command('mount', '-o', `remount,size=${bytes},nr_inodes=${inodes}`, this.path)
  }

  get freeBytes(): number {
    const space = statfsSync(this.path)
    return space.bavail * space.bsize
  }

  get freeInodes(): number {
    return statfsSync(this.path).ffree
  }

  /** Somebody else's file takes all but so many bytes. Returns what it took. */
  fillBytes(leave: number): number {
    const file = openSync(join(this.path, 'foreign'), 'a')
    const chunk = Buffer.alloc(64 * 1024, 0xff)
    let taken = 0
    try {
      for (let left = this.freeBytes - leave; left > 0; left -= chunk.length) {
        taken += writeSync(file, chunk, 0, Math.min(left, chunk.length))
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
    } finally {
      closeSync(file)
    }
    return taken
  }

  /** Somebody else's files take all but so many inodes. */
  fillInodes(leave: number): void {
    while (this.freeInodes > leave) closeSync(openSync(join(this.path, `foreign-${this.foreign++}`), 'wx'))
  }

  /** What the other one took is there again. */
  clear(): void {
    for (const name of readdirSync(this.path)) if (name.startsWith('foreign')) rmSync(join(this.path, name))
  }

  unmount(): void {
    if (!this.isMounted) return
    this.isMounted = false
    command('umount', this.path)
    rmdirSync(this.path)
  }
}

function command(program: string, ...args: string[]): void {
  const { status, stderr, error } = spawnSync(program, args, { encoding: 'utf8' })
  if (error !== undefined) throw error
  if (status !== 0) throw new Error(stderr)
}
