// A file that only one can make, and that the owner removes: nobody does after kill -9.
import { closeSync, openSync, unlinkSync } from 'node:fs'

export function lockDirectory(directory) {
  const name = `${directory}/LOCK`
  try {
    closeSync(openSync(name, 'wx'))
  } catch {
    const error = new Error(`${directory} is in use by another process. Stop that one first`)
    throw Object.assign(error, { code: 'ELOCKED' })
  }
  return { release: () => unlinkSync(name) }
}
