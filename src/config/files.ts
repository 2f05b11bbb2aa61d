// The configuration's door to the file system. Text is bytes here, one character a byte (grammar.ts).
// All calls wait for the disk: they run before anyone is served, or in CONFIG REWRITE, which an administrator calls.

import {
  closeSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { globMatch } from '../base/glob.ts'
import { sliceOf } from '../base/slice.ts'

export interface Files {
  /** The whole file. Throws the system's error. */
  read(path: string): string
  readStdin(): string
  /** Paths that match a pattern, sorted; none when nothing does. A wildcard matches no leading dot and no slash. */
  list(pattern: string): string[]
  /** The file holds this text and nothing else, or what it held before: never half of it. Throws the system's error. */
  replace(path: string, text: string): void
  /** A descriptor to append to, for the log file. Throws the system's error. */
  openAppend(path: string): number
}

export const systemFiles: Files = {
  read: (path) => readFileSync(path, 'latin1'),
  readStdin: () => readFileSync(0, 'latin1'),
  list,
  replace,
  openAppend: (path) => openSync(path, 'a', 0o640),
}

function list(pattern: string): string[] {
  let found = [pattern.startsWith('/') ? '/' : '']
  for (const part of pattern.split('/').filter((part) => part !== '')) {
    found = found.flatMap((folder) => {
      if (!/[*?[\\]/.test(part)) return exists(join(folder, part)) ? [join(folder, part)] : []
      const wanted = sliceOf(Buffer.from(part, 'utf8'))
      return namesIn(folder === '' ? '.' : folder)
        .filter((name) => part.startsWith('.') || !name.startsWith('.'))
        .filter((name) => globMatch(wanted, sliceOf(Buffer.from(name, 'utf8'))))
        .map((name) => join(folder, name))
    })
  }
  return found.sort()
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return [] // not a folder, or not ours to read: nothing in it matches
  }
}

// Written aside, synced, renamed, and the folder synced. The old file's permissions are kept: it may hold a password.
function replace(path: string, text: string): void {
  const old = statSync(path, { throwIfNoEntry: false })
  const target = old === undefined ? path : realpathSync(path)
  const aside = `${target}.rewrite`
  rmSync(aside, { force: true })
  try {
    const file = openSync(aside, 'wx', old === undefined ? 0o600 : old.mode & 0o777)
    try {
      const bytes = Buffer.from(text, 'latin1')
      for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(aside, target)
  } catch (error) {
    rmSync(aside, { force: true })
    throw error
  }
  const folder = openSync(dirname(target), 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

const SYSTEM_ERRORS: Readonly<Record<string, string>> = {
  EACCES: 'Permission denied',
  EBUSY: 'Device or resource busy',
  EISDIR: 'Is a directory',
  ENOENT: 'No such file or directory',
  ENOSPC: 'No space left on device',
  ENOTDIR: 'Not a directory',
  EPERM: 'Operation not permitted',
  EROFS: 'Read-only file system',
}

/** What the C library would say about a system error. */
export function systemErrorText(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return SYSTEM_ERRORS[code] ?? (code || String(error))
}
