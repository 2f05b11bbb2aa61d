import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, openSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Clock } from '../../src/base/clock.ts'
import { createLogger, type Log, type LogOptions } from '../../src/observability/log.ts'
import { DIFFERENT, REPEATS } from '../../src/observability/log-repeats.ts'
import { followRotation } from '../../src/observability/log-rotation.ts'

// A clock that stands still until it is told.
class StillClock implements Clock {
  wallMs = new Date(2026, 10, 5, 7, 8, 9, 12).getTime()
  monotonicMs = 0
  #timers: { at: number; run: () => void }[] = []

  now(): number {
    return this.wallMs
  }
  monotonic(): number {
    return this.monotonicMs
  }
  after(ms: number, run: () => void): { cancel(): void } {
    const timer = { at: this.monotonicMs + ms, run }
    this.#timers.push(timer)
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((other) => other !== timer)
      },
    }
  }
  soon(): void {
    throw new Error('the log does nothing in slices')
  }
  advance(ms: number): void {
    this.monotonicMs += ms
    const due = this.#timers.filter((timer) => timer.at <= this.monotonicMs)
    this.#timers = this.#timers.filter((timer) => timer.at > this.monotonicMs)
    for (const timer of due) timer.run()
  }
  get timers(): number {
    return this.#timers.length
  }
}

let clock: StillClock
let lines: string[]
let folder: string
beforeEach(() => {
  clock = new StillClock()
  lines = []
  folder = mkdtempSync(join(tmpdir(), 'casky-log-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

function log(options: Partial<LogOptions> = {}): Log {
  const sink = { write: (line: string) => lines.push(line), end: (done: () => void) => done() }
  const open = (): number => {
    throw new Error('no file here')
  }
  return createLogger({ format: 'redis', level: 'notice', file: '', pid: 42, open, sink, ...options }, clock)
}

test('redis lines: pid, role, local time, mark of the level, message, fields', () => {
  const { logger, setLevel } = log({ level: 'debug' })
  logger.debug('a')
  logger.verbose('b')
  logger.notice('Ready to accept connections')
  logger.warning('d', { path: '/x', bytes: 5, name: 'a b', list: [1], error: new Error('bad\nnews'), none: null })
  setLevel('nothing')
  logger.warning('e')
  expect(lines).toEqual([
    '42:M 05 Nov 2026 07:08:09.012 . a\n',
    '42:M 05 Nov 2026 07:08:09.012 - b\n',
    '42:M 05 Nov 2026 07:08:09.012 * Ready to accept connections\n',
    '42:M 05 Nov 2026 07:08:09.012 # d path=/x bytes=5 name="a b" list=[1] error="bad\\nnews" none=null\n',
  ])
})

test('json lines: one object each', () => {
  const { logger } = log({ format: 'json' })
  logger.verbose('not at this level')
  logger.notice('hello', { bytes: 5 })
  logger.warning('two\nlines', { error: new Error('bad') })
  expect(lines.length).toBe(2)
  expect(JSON.parse(lines[0]!)).toEqual({
    level: 'notice',
    time: new Date(clock.wallMs).toISOString(),
    pid: 42,
    bytes: 5,
    msg: 'hello',
  })
  expect(JSON.parse(lines[1]!)).toMatchObject({ level: 'warning', msg: 'two\nlines', error: { message: 'bad' } })
  for (const line of lines) expect(line.indexOf('\n')).toBe(line.length - 1)
})

test('the level changes at run time', () => {
  const { logger, setLevel } = log()
  logger.verbose('no')
  setLevel('debug')
  logger.debug('yes')
  setLevel('warning')
  logger.notice('no')
  logger.warning('yes')
  expect(lines.map((line) => line.split(' ').at(-1))).toEqual(['yes\n', 'yes\n'])
})

test('nothing a client sends can forge a line or move the cursor', () => {
  const { logger } = log()
  const nasty = 'x\r\n42:M fake\x1b[2J\x00\x7f\x9b\u2028'
  logger.notice(nasty, { name: nasty, [nasty]: 1 })
  expect(lines.length).toBe(1)
  expect(lines[0]).toMatch(/^[ -~]*\n$/)
})

test.each([
  'redis',
  'json',
] as const)('%s: a message over and over is counted, and the count comes when the second is over', (format) => {
  const { logger } = log({ format })
  for (let i = 0; i < REPEATS + 5; i++) logger.warning('again', { i })
  logger.notice('another')
  expect(lines.length).toBe(REPEATS + 1)
  expect(clock.timers).toBe(1)
  clock.advance(1000)
  expect(lines.length).toBe(REPEATS + 2)
  expect(lines.at(-1)).toContain('again (and 5 times more)')
  logger.warning('again')
  expect(lines.length).toBe(REPEATS + 3)
  clock.advance(5000)
  expect(lines.length).toBe(REPEATS + 3)
})

test('the count is not lost when the process ends, nor when a later message opens the next second', () => {
  const one = log()
  for (let i = 0; i < REPEATS + 1; i++) one.logger.notice('again')
  one.end(() => {})
  expect(lines.at(-1)).toContain('again (and 1 times more)')
  expect(clock.timers).toBe(0)

  const two = log()
  for (let i = 0; i < REPEATS + 2; i++) two.logger.notice('again')
  clock.monotonicMs += 2000 // the timer is late
  two.logger.notice('next')
  expect(lines.at(-2)).toContain('again (and 2 times more)')
  expect(lines.at(-1)).toContain('next')
})

test('messages that differ each time are bounded as well', () => {
  const { logger } = log()
  for (let i = 0; i < DIFFERENT + 7; i++) logger.notice(`client ${i}`)
  expect(lines.length).toBe(DIFFERENT)
  clock.advance(1000)
  expect(lines.at(-1)).toContain('7 messages were not logged')
})

test('what is not logged at this level is not counted either', () => {
  const { logger } = log()
  for (let i = 0; i < 100; i++) logger.debug('again')
  expect(lines).toEqual([])
  expect(clock.timers).toBe(0)
})

test('a file: appended to, opened anew after it was moved away, and a bad path is known at once', async () => {
  const path = join(folder, 'casky.log')
  const open = (path: string): number => openSync(path, 'a')
  const { sink: _, ...options } = { format: 'redis', level: 'notice', file: path, pid: 42, open, sink: null } as const
  const { logger, reopen, end } = createLogger(options, clock)
  logger.notice('one')
  renameSync(path, `${path}.1`)
  reopen()
  logger.notice('two')
  await new Promise<void>((resolve) => end(resolve))
  expect(readFileSync(path, 'utf8')).toMatch(/^42:M .* \* two\n$/)
  await expect.poll(() => readFileSync(`${path}.1`, 'utf8')).toMatch(/^42:M .* \* one\n$/)
  logger.notice('too late, and no harm')
  expect(clock.timers).toBe(0)
  expect(() => createLogger({ ...options, file: join(folder, 'no/such') }, clock)).toThrow(/ENOENT/)
})

test('a log file that was moved away or removed is opened anew within a second, without a signal', () => {
  const told: string[] = []
  let file: string | null | undefined = 'first'
  let canOpen = true
  followRotation(
    'casky.log',
    (path, done) => done(path === 'casky.log' ? file : null),
    clock,
    () => {
      told.push('reopen')
      if (!canOpen) throw new Error('EACCES')
      file = file === null ? 'made again' : file
    },
  )
  const second = (now: string | null | undefined): number => {
    file = now
    clock.advance(1000)
    return told.splice(0).length
  }
  expect([second('first'), second('first')]).toEqual([0, 0])
  expect([second(null), second(file), second(file)]).toEqual([1, 0, 0]) // moved away: made again by opening it
  expect([second('put there by logrotate'), second(file), second(file)]).toEqual([1, 0, 0])
  expect([second(undefined), second(file)]).toEqual([0, 0]) // the disk does not answer
  canOpen = false
  expect([second(null), second(null)]).toEqual([1, 1])
  canOpen = true
  expect([second(null), second(file)]).toEqual([1, 0])
})

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
/** Logs so many lines and ends. */
const program = (format: 'redis' | 'json', count: number): string[] => {
  const script = `
    import { createLogger } from './src/observability/log.ts'
    import { systemClock } from './src/base/clock.ts'
    const open = () => { throw new Error('no file') }
    const { logger, end } = createLogger({ format: '${format}', level: 'notice', file: '', pid: 1, open }, systemClock)
    for (let i = 0; i < ${count}; i++) logger.notice('line ' + i)
    end(() => process.exit(0))`
  return ['--import', 'tsx', '--input-type=module', '-e', script]
}

// A line may be in the hands of a thread when the process ends: the first came last then, or not at all.
test.each([
  'redis',
  'json',
] as const)('%s: all that was logged is on standard output when the process ends, in order', (format) => {
  const { stdout, stderr } = spawnSync(process.execPath, program(format, 500), { cwd: ROOT, encoding: 'utf8' })
  expect(stderr).toBe('')
  const numbers = [...stdout.matchAll(/line (\d+)/g)].map((match) => Number(match[1]))
  expect(numbers).toEqual(Array.from({ length: 500 }, (_, i) => i))
})

test('a standard output that nobody reads does not keep the process from ending', async () => {
  const child = spawn(process.execPath, program('redis', 50_000), { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] })
  const [code] = (await once(child, 'exit')) as [number]
  child.stdout.destroy()
  expect(code).toBe(0)
})
