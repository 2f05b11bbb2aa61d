// A process that takes the lock when it is told to, and says how that went. Plain JavaScript on the built engine, since
// a thousand of them are started.
//
//   node starter.mjs dist/engine/lock.js
//
//   in:  try DIRECTORY    out: won | lost CODE MESSAGE        in: release    out: released

import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

const { lockDirectory } = await import(pathToFileURL(process.argv[2]))
let lock = null

function answer(line) {
  if (line === 'release') {
    lock.release()
    lock = null
    return 'released'
  }
  try {
    lock = lockDirectory(line.slice('try '.length))
    return 'won'
  } catch (error) {
    return `lost ${error.code} ${error.message}`
  }
}

process.stdout.write(`ready ${process.pid}\n`)
createInterface({ input: process.stdin }).on('line', (line) => process.stdout.write(`${answer(line)}\n`))
