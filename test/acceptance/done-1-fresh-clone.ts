// Done 1: on a fresh clone `npm ci && npm start` serves on 127.0.0.1:6379 with data in ./data; `npm ci && npm test` passes.
//
//   npx tsx test/acceptance/done-1-fresh-clone.ts [--skip-tests]
//
// The clone is of the last commit: what is not committed is not there. Port 6379 has to be free.

import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { type Child, run, startChild } from '../harness/child.ts'
import { RawConnection } from '../harness/connection.ts'
import { projectRoot } from '../harness/server.ts'
import { seconds, Verdict } from './verdict.ts'

const verdict = new Verdict('done 1: a fresh clone')
const clone = join(mkdtempSync(join(tmpdir(), 'casky-clone-')), 'casky')

await verdict.part('npm ci && npm start serves', async () => {
  const cloned = await run('git', ['clone', '-q', projectRoot, clone])
  verdict.demand(cloned.code === 0, 'git clone', cloned.stderr)
  const begun = performance.now()
  const installed = await run('npm', ['ci'], { cwd: clone, limitMs: 300_000 })
  verdict.demand(installed.code === 0, 'npm ci', installed.stdout + installed.stderr)
  verdict.figure('npm ci', seconds(performance.now() - begun))

  const server = await startChild('npm', ['start'], { cwd: clone })
  const ready = await untilAnswered(server)
  verdict.demand(ready, 'npm start serves on 127.0.0.1:6379', server.output())
  if (!ready) return
  const client = await RawConnection.open({ port: 6379 })
  verdict.demand((await client.call('SET', 'k', 'v')) === 'OK', 'SET is answered OK')
  verdict.demand(existsSync(join(clone, 'data')), 'the data is in ./data')
  verdict.demand(server.output().includes('Ready to accept connections'), 'the log says Ready to accept connections')
  client.send('SHUTDOWN\r\n')
  await client.closed
  const exit = await server.exited
  verdict.demand(exit.code === 0, 'SHUTDOWN ends it with exit code 0', server.output())
})

if (!process.argv.includes('--skip-tests')) {
  await verdict.part('npm test passes', async () => {
    const begun = performance.now()
    const tested = await run('npm', ['test'], { cwd: clone, limitMs: 1_200_000 })
    verdict.demand(tested.code === 0, 'npm test passes', (tested.stdout + tested.stderr).slice(-4000))
    verdict.figure('npm test', seconds(performance.now() - begun))
  })
}

rmSync(join(clone, '..'), { recursive: true, force: true })
verdict.finish()

async function untilAnswered(server: Child): Promise<boolean> {
  const deadline = performance.now() + 30_000
  while (performance.now() < deadline && server.exit === undefined) {
    try {
      const client = await RawConnection.open({ port: 6379 })
      const reply = await client.call('PING')
      client.close()
      // Somebody else's server on the port would answer too; ours has said that it is ready.
      if (reply === 'PONG' && server.exit === undefined && server.output().includes('Ready')) return true
    } catch {
      // not yet
    }
    await pause(20)
  }
  return false
}
