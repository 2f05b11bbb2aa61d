// Many clients on the same keys, through kill -9 and restart: each key's history is linearizable.
//
//   npx vitest run test/crash/linearizable          two kills; CASKY_TEST_FULL=1: more, in three configurations
//   npm run soak -- linearizable 500                as many as asked
//
// The judge is judged first: by a second one that tries every order, by histories made from a register that works, and by
// the mistakes a store can make.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { skipWithout } from '../harness/programs.ts'
import { randomFrom } from '../harness/random.ts'
import { anySeed } from '../harness/seed.ts'
import { restless } from './configuration.ts'
import { type Action, type Answer, type Call, type Held, KeyJudge, perform } from './linearizable.ts'
import { sharedKeys } from './shared-keys.ts'

const isFull = process.env.CASKY_TEST_FULL === '1'

/** Every order of every choice of the unanswered ones, by trying. Slow and plain. */
function bruteForce(calls: readonly Call[], held: Held = null): boolean {
  if (calls.every((call) => call.answer === undefined)) return true
  return calls.some((call) => {
    if (calls.some((other) => other.endedAt < call.sentAt)) return without(calls, call, held)
    const done = perform(call.action, held)
    if (call.answer !== undefined && call.answer !== done.answer) return false
    return bruteForce(
      calls.filter((other) => other !== call),
      done.held,
    )
  })
}

/** A call that comes after others: only those that were never answered may be left out for its sake. */
function without(calls: readonly Call[], call: Call, held: Held): boolean {
  const earlier = calls.filter((other) => other.endedAt < call.sentAt)
  if (earlier.some((other) => other.answer !== undefined)) return false
  return bruteForce(
    calls.filter((other) => !earlier.includes(other)),
    held,
  )
}

const call = (sentAt: number, endedAt: number, action: Action, answer?: Answer): Call => ({
  action,
  sentAt,
  endedAt,
  answer,
  client: 0,
})
const set = (value: string): Action => ({ kind: 'set', value })
const get: Action = { kind: 'get' }
const verdict = (...calls: Call[]): boolean => new KeyJudge().judge(calls) === undefined

const anyAction = fc.oneof(
  fc.constant<Action>({ kind: 'get' }),
  fc.constantFrom('1', '2', '3').map((value): Action => ({ kind: 'set', value })),
  fc.constantFrom('1', '2').map((value): Action => ({ kind: 'getset', value })),
  fc.constantFrom('1', '2').map((value): Action => ({ kind: 'setnx', value })),
  fc.constant<Action>({ kind: 'del' }),
  fc.constant<Action>({ kind: 'getdel' }),
  fc.constant<Action>({ kind: 'clear' }),
  fc.constantFrom(1, 2).map((by): Action => ({ kind: 'incr', by })),
  fc.constantFrom('0', '1').map((suffix): Action => ({ kind: 'append', suffix })),
)

/** Answers of an honest register with now and then a lie in between: good and bad histories in like numbers. */
const anyHistory = fc
  .array(fc.tuple(anyAction, fc.nat(20), fc.nat(8), fc.nat(20), fc.nat(12), fc.constantFrom(null, '1', '2', 1, 0)), {
    minLength: 1,
    maxLength: 6,
  })
  .map((rows) => {
    const ordered = rows
      .map(([action, sentAt, length, , dice, lie]) => ({ action, sentAt, length, dice, lie, at: sentAt + length / 2 }))
      .sort((a, b) => a.at - b.at)
    let held: Held = null
    return ordered.map(({ action, sentAt, length, dice, lie }): Call => {
      // 0: killed before it happened. 1: killed after. 2: a lie.
      if (dice === 0) return call(sentAt * 2, (sentAt + length) * 2 + 1, action)
      const done = perform(action, held)
      held = done.held
      const answer = dice === 2 && action.kind !== 'set' && action.kind !== 'clear' ? lie : done.answer
      return call(sentAt * 2, (sentAt + length) * 2 + 1, action, dice === 1 ? undefined : answer)
    })
  })

describe('the judge', () => {
  it('agrees with one that tries every order', () => {
    let good = 0
    let bad = 0
    fc.assert(
      fc.property(anyHistory, (history) => {
        const expected = bruteForce(history)
        if (expected) good++
        else bad++
        expect(verdict(...history)).toBe(expected)
      }),
      { numRuns: isFull ? 50_000 : 3000 },
    )
    expect(good).toBeGreaterThan(100)
    expect(bad).toBeGreaterThan(100)
  })

  it('agrees with it when the history comes in parts', () => {
    fc.assert(
      fc.property(anyHistory, anyHistory, (first, second) => {
        const later = second.map((one) => ({ ...one, sentAt: one.sentAt + 1000, endedAt: one.endedAt + 1000 }))
        const judge = new KeyJudge()
        const found = judge.judge(first) ?? judge.judge(later)
        expect(found === undefined).toBe(bruteForce([...first, ...later]))
      }),
      { numRuns: isFull ? 3000 : 300 },
    )
  })

  it('acquits a register that works, with many clients, kills among them', () => {
    const seeds = isFull ? 40 : 4
    for (let seed = 1; seed <= seeds; seed++) {
      const { calls } = honest(seed, 2000)
      expect(new KeyJudge().judge(calls), `seed ${seed}`).toBeUndefined()
    }
  })

  it('condemns such a history as soon as one answer is an old one', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const { calls, reads } = honest(seed, 500)
      const read = reads.at(-1)!
      // A value that was overwritten by a call which had ended before this one began.
      const old = reads.find((one) => one.answer !== read.answer && one.endedAt + 200 < read.sentAt)!
      const index = calls.indexOf(read)
      const forged = calls.with(index, { ...read, answer: old.answer })
      expect(new KeyJudge().judge(forged), `seed ${seed}`).toContain('no order explains')
    }
  })

  it('condemns the mistakes of stores', () => {
    const killed = call(3, 9, set('b'))
    expect(verdict(call(1, 2, set('a'), 'OK'), call(3, 4, get, null))).toBe(false) // lost
    expect(verdict(call(1, 2, set('a'), 'OK'), call(3, 4, { kind: 'del' }, 1), call(5, 6, get, 'a'))).toBe(false) // back
    expect(verdict(call(1, 2, set('a'), 'OK'), call(3, 4, get, 'z'))).toBe(false) // never written
    expect(verdict(call(1, 2, set('a'), 'OK'), killed, call(10, 11, get, 'a'), call(12, 13, get, 'b'))).toBe(false) // late
    expect(verdict(killed, call(10, 11, get, 'b'), call(12, 13, get, null))).toBe(false) // shown, then gone
    expect(verdict(killed, call(10, 11, get, 'b'), call(12, 13, get, 'b'))).toBe(true)
    expect(verdict(killed, call(10, 11, get, null), call(12, 13, get, null))).toBe(true)
    const one: Action = { kind: 'incr', by: 1 }
    expect(verdict(call(1, 5, one, 1), call(2, 4, one, 1))).toBe(false) // one increment lost
    expect(verdict(call(1, 5, one, 2), call(2, 4, one, 1))).toBe(true)
  })
})

/** What clients see of one register when each call has its instant somewhere between sending and answer. */
function honest(seed: number, count: number): { calls: Call[]; reads: Call[] } {
  const random = randomFrom(seed)
  const calls: Call[] = []
  const reads: Call[] = []
  let held: Held = null
  let at = 0
  const clients = Array.from({ length: 8 }, () => ({ freeAt: 0 }))
  for (let i = 0; i < count; i++) {
    at += 10
    const client = random.below(clients.length)
    const action: Action = random.pick<Action>([
      get,
      get,
      set(`v${i}`),
      { kind: 'getset', value: `v${i}` },
      { kind: 'del' },
    ])
    const sentAt = Math.max(clients[client]!.freeAt + 1, at - random.below(40))
    if (sentAt > at) continue // still busy
    const endedAt = at + random.below(40)
    clients[client]!.freeAt = endedAt
    const done = perform(action, held)
    const isKilled = random.chance(0.05)
    if (!isKilled || random.chance(0.5)) held = done.held
    const one: Call = { action, sentAt, endedAt, answer: isKilled ? undefined : done.answer, client }
    calls.push(one)
    if (action.kind === 'get' && one.answer !== undefined && one.answer !== null) reads.push(one)
  }
  return { calls, reads }
}

// Synced each time: with everysec Redis may reply while a write waits for a sync that is under way, and kill -9 then loses it.
const LOGGED = ['--appendonly', 'yes', '--appendfsync', 'always']

describe.skipIf(skipWithout('redis-server'))('the driver, tried on redis-server', () => {
  it('acquits one that keeps its log and condemns one that keeps none', async () => {
    const kept = await sharedKeys({ kind: 'redis', kills: 1, seed: 3, loadMs: 150, args: LOGGED })
    expect(kept.problems).toEqual([])
    // Now and then a FLUSHDB is under way when it is killed, which explains everything. Not four times.
    const lost = await sharedKeys({ kind: 'redis', kills: 4, seed: 3, loadMs: 150, args: ['--appendonly', 'no'] })
    expect(lost.problems.join('\n')).toContain('no order explains')
  })
})

describe('32 clients on the same keys', () => {
  const seed = anySeed()
  const fromDisk = [...restless, '--value-cache-size', '0', '--merge-interval-ms', '1']
  const setups: ReadonlyArray<readonly [string, readonly string[]]> = [
    ['every value from the disk, merges always on, everysec', [...fromDisk, '--appendfsync', 'everysec']],
    ['always', [...restless, '--appendfsync', 'always']],
    ['the defaults', []],
  ]
  it.each(isFull ? setups : setups.slice(0, 1))(
    'see one history through kill -9 and restart: %s',
    async (_, args) => {
      const result = await sharedKeys({ kills: isFull ? 12 : 2, seed, loadMs: isFull ? 600 : 150, args })
      expect(result.problems.join('\n'), `seed ${seed}`).toBe('')
      expect(result.calls).toBeGreaterThan(result.kills * 250)
    },
    300_000,
  )
})
