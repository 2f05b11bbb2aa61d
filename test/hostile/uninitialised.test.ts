// Memory that was somebody else's a moment ago must not leave: neither into a file nor to a client.
//
// Node hands out buffers as they lie there (allocUnsafe). So the pool and the heap around it are filled with a word first, again and again,
// and then nothing that is written may hold it. The reserve is random bytes and cannot.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { cleanUp, freshDirectory, TestStore } from '../engine/test-store.ts'
import { startTestServer } from '../server/test-server.ts'

afterEach(cleanUp)

const WORD = 'left-in-memory!!'

/** Every size of buffer has just been given back with the word in it. */
function poison(): void {
  for (let bytes = 16; bytes <= 4 * 1024 * 1024; bytes *= 2) {
    for (let i = 0; i < 8; i++) Buffer.allocUnsafe(bytes).fill(WORD)
    Buffer.allocUnsafeSlow(bytes).fill(WORD)
  }
}

test('what lay in memory reaches no file: segments, hints, manifest, image', async () => {
  const directory = freshDirectory()
  const store = await TestStore.open(directory, { segmentSizeBytes: 20_000 })
  for (let round = 0; round < 6; round++) {
    poison()
    for (let i = 0; i < 60; i++)
      store.put(`k${i}`, 'v'.repeat(1 + ((i * 37) % 500)), round % 2 === 0 ? 0 : store.clock.now() + 1e9)
    store.batch(() => {
      store.remove('k3')
      store.put('member', 'v')
    })
    store.setExpiry('k7', store.clock.now() + 5e9)
    await store.tick()
    poison()
    await store.seal()
    await store.quiet()
  }
  poison()
  await store.merge()
  await store.quiet()
  poison()
  await store.close()
  const names = readdirSync(directory).filter((name) => !name.startsWith('reserve'))
  expect(
    names.some((name) => name.endsWith('.hint')) && names.includes('MANIFEST') && names.includes('keydir.image'),
  ).toBe(true)
  for (const name of names) expect([name, readFileSync(join(directory, name)).includes(WORD)]).toEqual([name, false])
})

test('nor does it reach a client: values made longer, bits far off, payloads, sums of strings', async () => {
  const server = await startTestServer()
  const client = await server.connect()
  const commands = [
    ['SETRANGE', 'a', '5000', 'x'],
    ['GET', 'a'],
    ['SETBIT', 'b', '90000', '1'],
    ['GET', 'b'],
    ['BITFIELD', 'c', 'SET', 'u8', '40000', '1'],
    ['GET', 'c'],
    ['BITOP', 'OR', 'd', 'a', 'b'],
    ['GET', 'd'],
    ['APPEND', 'e', 'x'.repeat(3000)],
    ['GETRANGE', 'a', '0', '-1'],
    ['DUMP', 'a'],
    ['PFADD', 'h', '1', '2', '3'],
    ['GET', 'h'],
    ['INFO', 'everything'],
    ['ECHO', "''"],
  ]
  for (const command of commands) {
    poison()
    client.send(command.join(' ').includes("''") ? `ECHO "a\\x41" \r\n` : `${command.join(' ')}\r\n`)
    const { raw } = await client.reply()
    expect([command[0], raw.includes(WORD)]).toEqual([command[0], false])
  }
  server.stop()
})
