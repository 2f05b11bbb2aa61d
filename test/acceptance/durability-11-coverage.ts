// Durability 11: no branch of the files between a byte and its loss is without a test. The table is vitest's.
//
//   npx tsx test/acceptance/durability-11-coverage.ts

import { spawnSync } from 'node:child_process'
import { Verdict } from './verdict.ts'

const FILES = [
  'record',
  'hint',
  'manifest',
  'recovery',
  'merge',
  'merger',
  'living',
  'verdicts',
  'undo',
  'request',
  'args',
]

const verdict = new Verdict('durability 11: branches of record, hint, manifest, recovery, merge, undo and decoder')
const run = spawnSync('npm', ['run', '--silent', 'coverage'], {
  encoding: 'utf8',
  env: { ...process.env, NO_COLOR: '1' },
})
for (const file of FILES) {
  // File | % Stmts | % Branch | % Funcs | % Lines |
  const row = new RegExp(`^ *${file}\\.ts *\\|(.+)$`, 'm').exec(run.stdout)?.[1]?.split('|') ?? []
  const branches = Number(row[1])
  verdict.figure(`${file}.ts`, row.length === 0 ? 'no row' : `${branches} % of its branches`)
  verdict.demand(branches === 100, `${file}.ts: all branches`)
}
verdict.demand(run.status === 0, 'the run itself succeeds', `${run.stdout}\n${run.stderr}`.slice(-2000))
verdict.finish()
