// WATCH costs a client's keys once each, however many it watches already.

import { expect, test } from 'vitest'
import { sliceOf } from '../../src/base/slice.ts'
import type { Session } from '../../src/commands/session.ts'
import { Watch } from '../../src/server/watch.ts'
import { ScriptedEngine } from './scripted-engine.ts'

test('WATCH of many keys is not quadratic', () => {
  const watch = new Watch(new ScriptedEngine().asEngine(), 16, () => {})
  const session = { watched: [], watchBroken: false, nameBytes: 0 } as unknown as Session
  const before = process.cpuUsage()
  for (let i = 0; i < 60_000; i++) watch.watch(session, 0, sliceOf(`key:${i}`))
  const { user, system } = process.cpuUsage(before)
  expect(session.watched.length).toBe(60_000)
  expect((user + system) / 1000).toBeLessThan(2000) // it was more than 5 s
  for (let i = 0; i < 100; i++) watch.watch(session, 0, sliceOf(`key:${i}`))
  watch.watch(session, 1, sliceOf('key:0'))
  expect(session.watched.length).toBe(60_001)
  watch.unwatch(session)
  expect(watch.isWatching).toBe(false)
})
