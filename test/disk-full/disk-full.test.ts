// Full disks, for real: tmpfs by bytes and by inodes, filled by the server itself and by others, and a limit on the size of files.
//
//   CASKY_TEST_FULL=1 npx vitest run test/disk-full        needs `npm run build`, and root for the mounts
//
// Without CASKY_TEST_FULL only the shortest story is told. EDQUOT is test/faults' business, power cuts on full disks are the simulator's.

import { describe, expect, it } from 'vitest'
import { skipWithout } from '../harness/programs.ts'
import { ReplyError } from '../harness/resp.ts'
import { anySeed } from '../harness/seed.ts'
import { Accounts } from './accounts.ts'
import { skipWithoutMounts } from './small-disk.ts'
import { type Fsync, stories } from './stories.ts'

const isFull = process.env.CASKY_TEST_FULL === '1'
const MIB = 12

const told = (Object.keys(stories) as (keyof typeof stories)[]).filter((name) => isFull || name.startsWith('no larger'))
const modes: Fsync[] = ['everysec', 'always', 'no']

describe.skipIf(skipWithoutMounts() || skipWithout('prlimit'))('a disk that is', () => {
  it.each(told.map((name, i) => [name, modes[i % modes.length]!] as const))(
    '%s (appendfsync %s)',
    async (name, appendfsync) => {
      const seed = anySeed()
      const outcome = await stories[name]({ seed, appendfsync, mib: MIB })
      expect(outcome.problems, `seed ${seed}`).toBe('')
      expect(outcome.refused + outcome.unknown, 'writes that a full disk refused').toBeGreaterThan(0)
      expect(outcome.done).toBeGreaterThan(100)
    },
    300_000,
  )
})

describe('the accounts', () => {
  const replies = (...values: unknown[]): never => {
    const left = values.map((value) => ({ value }))
    return {
      send: () => {},
      reply: async () => left.shift() ?? Promise.reject(new Error('closed')),
      call: async () => left.shift()?.value,
    } as never
  }
  const set = (key: string, value: string) => ({ command: ['SET', key, value], effects: [[key, value]] as const })
  const refused = (text: string): ReplyError => new ReplyError(text)

  it('acquit what may be, and condemn a lost value, a refused one that is there, a foreign key and half of a pair', async () => {
    const accounts = new Accounts()
    const unknown = refused('MISCONF The disk is full. The outcome of this command is unknown.')
    await accounts.play(replies('OK', unknown, refused('MISCONF The disk is full.')), [
      set('a', '1'),
      set('a', '2'),
      set('b', '3'),
    ])
    await accounts.check(replies(Buffer.from('2'), 1, 0), 'fine')
    await accounts.check(replies(Buffer.from('1'), 1, 0), 'fine')
    expect(accounts.problems).toEqual([])
    await accounts.check(replies(null, 0, 0), 'lost')
    await accounts.check(replies(Buffer.from('3'), 1, 0), 'wrong')
    await accounts.check(replies(Buffer.from('2'), 2, 0), 'one too many')
    await accounts.check(replies(Buffer.from('2'), 1, 1), 'foreign')
    expect(accounts.problems.length).toBe(4)
    await accounts.play(replies('OK', 'OK'), [set('left1', 'x#1'), set('right1', 'x#2')])
    await accounts.check(replies(Buffer.from('2'), Buffer.from('x#1'), Buffer.from('x#2'), 3, 0), 'half')
    expect(accounts.problems.at(-1)).toContain('half of a transaction')
  })
})
