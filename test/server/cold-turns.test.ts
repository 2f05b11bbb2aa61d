import { expect, test } from 'vitest'
import type { Slice } from '../../src/base/slice.ts'
import { encodeRequest } from '../harness/resp.ts'
import { startTestServer } from './test-server.ts'

const READS_A_TURN = 3
const GETS = 40

test('who wants more values from the disk than a turn has time for goes on in the next; others are served meanwhile', async () => {
  const server = await startTestServer()
  const { engine } = server
  const client = await server.connect()
  const other = await server.connect()
  for (let i = 0; i < GETS; i++) await client.call('SET', `k${i}`, `v${i}`)

  let reads = 0
  let readsInAll = 0
  let late = 0
  const readValue = engine.valueOf.bind(engine)
  engine.valueOf = (entry: number, into: Slice): boolean => {
    engine.missed = true
    readsInAll++
    if (engine.readsSpent) late++
    engine.readsSpent = ++reads >= READS_A_TURN
    return readValue(entry, into)
  }
  const flush = engine.flush.bind(engine)
  engine.flush = (): void => {
    reads = 0
    engine.readsSpent = false
    flush()
  }
  client.send(Buffer.concat(Array.from({ length: GETS }, (_, i) => encodeRequest(['GET', `k${i}`]))))
  expect(await other.call('PING')).toBe('PONG')
  expect(readsInAll).toBeLessThan(GETS)
  for (let i = 0; i < GETS; i++) expect((await client.reply()).raw.toString()).toMatch(new RegExp(`\r\nv${i}\r\n$`))
  expect(readsInAll).toBe(GETS)
  expect(late).toBe(0)
  await server.stop()
})
