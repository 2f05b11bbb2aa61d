// WATCH costs a client's keys once each, however many it watches already.

import { expect, test } from 'vitest'
import { sliceOf } from '../../src/base/slice.ts'
import type { Session } from '../../src/commands/session.ts'
import { Watch } from '../../src/server/watch.ts'
import { ScriptedEngine } from './scripted-engine.ts'

const COUNT = 2000

test('WATCH of many keys is not quadratic', () => {
  const watch = new Watch(new ScriptedEngine().asEngine(), 16, () => {})
  // Counts the looks at what is watched already.
  let looks = 0
  const watched = new Proxy([] as unknown[], {
    get(target, name, self): unknown {
      if (typeof name === 'string' && /^\d+$/.test(name)) looks++
      return Reflect.get(target, name, self)
    },
  })
  const session = { watched, watchBroken: false, nameBytes: 0 } as unknown as Session
  for (let i = 0; i < COUNT; i++) watch.watch(session, 0, sliceOf(`key:${i}`))
  expect(session.watched.length).toBe(COUNT)
  expect(looks).toBeLessThan(10 * COUNT)
  for (let i = 0; i < 100; i++) watch.watch(session, 0, sliceOf(`key:${i}`))
  watch.watch(session, 1, sliceOf('key:0'))
  expect(session.watched.length).toBe(COUNT + 1)
  watch.unwatch(session)
  expect(watch.isWatching).toBe(false)
})
