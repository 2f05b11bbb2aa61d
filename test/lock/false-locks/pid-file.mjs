// The owner's pid in a file, and a question whether that process lives: in a container everybody is pid 1.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'

export function lockDirectory(directory) {
  const name = `${directory}/LOCK`
  const owner = existsSync(name) ? Number(readFileSync(name, 'utf8')) : 0
  if (owner > 0 && owner !== process.pid && lives(owner)) {
    const error = new Error(`${directory} is in use by another process. Stop that one first`)
    throw Object.assign(error, { code: 'ELOCKED' })
  }
  writeFileSync(name, String(process.pid))
  return { release: () => writeFileSync(name, '') }
}

function lives(pid) {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
