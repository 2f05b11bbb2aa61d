// The crew of a long job, as its user starts it.

import { expect, test } from 'vitest'
import { run, startChild } from '../harness/child.ts'

test('a soak whose members have done their share says what they did, and ends', async () => {
  const { code, stdout } = await run('npx', [
    'tsx',
    'test/soak/main.ts',
    'power-cuts',
    '40',
    '--seed',
    '1',
    '--workers',
    '2',
  ])
  expect(stdout).toMatch(/\d+ power cuts, \d+ runs, .*nothing lost, nothing came back, seed 1$/m)
  expect(code).toBe(0)
})

test('members that are never idle end when whoever started them was killed', async () => {
  const child = await startChild(process.execPath, ['--import', 'tsx', 'test/soak/busy-crew.ts'])
  try {
    await expect.poll(() => child.stdout()).toContain('they report')
  } finally {
    child.kill('SIGKILL')
  }
  await child.exited // its members hold the same pipes
})
