// A disk that begins to fail and is healed again, for real: an ext4 file system on a loop device whose image is a file with holes on
// a tmpfs. While a ballast file fills that tmpfs, blocks written for the first time have nowhere to go: write() goes well (the
// page cache takes it), and the kernel tells of the error at the next fsync, once. Removing the ballast heals the disk.
//
// A loop device reports a request as done of which only a part could be written (Linux 6.18: seen, an fdatasync of 1 MB went well with
// room for 8 KiB): a lying disk, which is another test's subject. So requests are kept to one page, which is written or not.
//
// This is how thin-provisioned volumes fail. `dropCache` unmounts: what the disk does not have is gone then.

import { execFileSync } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { findProgram } from '../harness/programs.ts'

const TMPFS = '48m'
const IMAGE_BYTES = 256 * 1024 * 1024
const UNMOUNT_TRIES = 10
const UNMOUNT_REST_MS = 200
const PROGRAMS = ['mount', 'umount', 'losetup', 'mkfs.ext4']

/** Why there can be no such disk here; undefined: there can. */
function whyNot(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root can make loop devices'
  if (!existsSync('/dev/loop-control')) return 'this machine has no loop devices'
  for (const program of PROGRAMS) if (findProgram(program) === undefined) return `${program} is not installed`
  try {
    new FailingDisk().close()
    return undefined
  } catch (error) {
    return `a loop device cannot be mounted (${(error as Error).message.trim()})`
  }
}

/** True when tests on such disks have to be skipped: one visible line, and a failure where CI=true. */
export function skipWithoutLoopDevices(): boolean {
  const why = whyNot()
  if (why === undefined) return false
  const line = `${why}: the tests on a disk that fails for real are skipped`
  if (process.env.CI === 'true') throw new Error(`${line}, and CI=true forbids that`)
  console.warn(line)
  return true
}

export class FailingDisk {
  /** A directory on the disk. */
  readonly directory: string
  private readonly folder: string
  private readonly back: string
  private readonly mountPoint: string
  private readonly ballast: string
  private device = ''
  /** What undoes what has been done, last first. */
  private readonly undo: (() => void)[] = []

  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), 'casky-disk-'))
    this.undo.push(() => rmSync(this.folder, { recursive: true, force: true }))
    this.back = join(this.folder, 'back')
    this.mountPoint = join(this.folder, 'disk')
    this.ballast = join(this.back, 'ballast')
    this.directory = join(this.mountPoint, 'data')
    process.once('exit', this.close)
    try {
      this.make()
    } catch (error) {
      this.close()
      throw error
    }
  }

  private make(): void {
    mkdirSync(this.back)
    mkdirSync(this.mountPoint)
    run('mount', '-t', 'tmpfs', '-o', `size=${TMPFS}`, 'casky-test', this.back)
    this.undo.push(() => unmount(this.back))
    const image = join(this.back, 'image')
    closeSync(openSync(image, 'w', 0o600))
    truncateSync(image, IMAGE_BYTES)
    run('mkfs.ext4', '-q', '-b', '4096', '-O', '^has_journal', '-E', 'nodiscard,lazy_itable_init=0', image)
    this.device = run('losetup', '--find', '--show', image).trim()
    this.undo.push(() => run('losetup', '--detach', this.device))
    writeFileSync(`/sys/block/${basename(this.device)}/queue/max_sectors_kb`, '4')
    this.mount()
    this.undo.push(() => unmount(this.mountPoint))
    mkdirSync(this.directory)
    run('sync', '--file-system', this.mountPoint)
  }

  private mount(): void {
    run('mount', '-t', 'ext4', '-o', 'errors=continue', this.device, this.mountPoint)
  }

  /** From now on new blocks cannot be written. */
  fail(): void {
    const ballast = openSync(this.ballast, 'w', 0o600)
    try {
      for (const block = Buffer.alloc(4096); ; ) writeSync(ballast, block)
    } catch (error) {
      if ((error as { code?: string }).code !== 'ENOSPC') throw error
    } finally {
      closeSync(ballast)
    }
  }

  /** From now on all is well. */
  heal(): void {
    rmSync(this.ballast, { force: true })
  }

  /** What only the page cache has is gone, and the disk is well. No file may be open. */
  dropCacheAndHeal(): void {
    unmount(this.mountPoint)
    this.heal()
    this.mount()
    this.evict() // where somebody else's namespace still holds the file system, unmounting has dropped nothing
  }

  /** The page cache forgets all that it takes for clean, as it may at any time: for what could not be written that is the end. */
  evict(): void {
    for (const path of this.paths()) {
      try {
        run('dd', `if=${path}`, 'iflag=nocache', 'count=0', 'status=none')
      } catch (error) {
        if (existsSync(path)) throw error // else a merge has removed it since it was listed
      }
    }
  }

  /** What the files hold now, by path, as readers see it. */
  files(): Map<string, Buffer> {
    const found = new Map<string, Buffer>()
    for (const path of this.paths()) {
      try {
        found.set(path, readFileSync(path))
      } catch (error) {
        if ((error as { code?: string }).code !== 'ENOENT') throw error // a merge has removed it since it was listed
      }
    }
    return found
  }

  pathOf(name: string): string {
    return join(this.directory, name)
  }

  private paths(): string[] {
    const paths = readdirSync(this.directory, { recursive: true, encoding: 'utf8' }).map((name) => this.pathOf(name))
    return paths.filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile())
  }

  /** Leaves nothing behind. */
  readonly close = (): void => {
    process.removeListener('exit', this.close)
    for (const step of this.undo.splice(0).reverse()) {
      try {
        step()
      } catch (error) {
        console.warn(`left behind by a test: ${(error as Error).message}`)
      }
    }
  }
}

/** Namespaces that others make hold copies of our mounts for a while. */
function unmount(path: string): void {
  for (let tries = 0; tries < UNMOUNT_TRIES; tries++) {
    try {
      run('umount', path)
      return
    } catch (error) {
      if (!(error as Error).message.includes('busy')) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, UNMOUNT_REST_MS)
    }
  }
  run('umount', '--lazy', path)
}

function run(program: string, ...args: string[]): string {
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}
