// Every file call of the real server fails, in every way: one fault a run, or one in the story and another in the start after it.
//
//   past       a directory with a past: left by a kill (the end of the log unproven) or by a clean stop (a keydir image)
//   count      the story (story.ts) without a fault, its file calls counted: N
//   case       for k in 1..N and each way in which call k can go wrong: the story under that fault, on a copy of the past
//   judge      a clean start on a well disk: what is there is held against the clients' histories; every third time again,
//              after a kill or a stop: a start must not change what the next one finds
//
// Threads race, so call k of a run is not always call k of the counted one: a fault befalls the first call from k on
// of the kind that k was. A case whose fault met nobody is told apart (`missed`).
//
// Whatever the fault, the server never tells of a bug, never hangs, and ends at SIGTERM.

import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Random, randomFrom } from '../harness/random.ts'
import { type Server, startServer } from '../harness/server.ts'
import { type Action, CALLS, type Called, type CallKind, type Rule, Shim } from './control.ts'
import type { History } from './history.ts'
import { CLIENTS, find, past, Teller, tell, tellersAfter, tiny, type Weather } from './story.ts'

/** How a call may go wrong. */
export interface Way {
  readonly action: Action
  readonly error?: 'EIO' | 'ENOSPC' | 'EMFILE' | 'EDQUOT'
  /** From that call on at every one it can happen to. */
  readonly forever: boolean
}

export interface Fault {
  /** The call, counted from 1, and what it was when they were counted. */
  readonly call: number
  readonly kind: CallKind
  readonly name: string
  readonly way: Way
}

const ERRORS: Readonly<Record<NonNullable<Way['error']>, readonly CallKind[]>> = {
  EIO: CALLS,
  ENOSPC: ['create', 'write', 'sync', 'rename', 'makeDirectory'],
  EMFILE: ['open', 'create', 'list'],
  EDQUOT: ['create', 'write', 'sync', 'rename', 'makeDirectory'],
}
const KILLS: Readonly<Record<string, readonly CallKind[]>> = {
  'kill before': [
    'open',
    'create',
    'read',
    'write',
    'sync',
    'syncDirectory',
    'close',
    'rename',
    'unlink',
    'makeDirectory',
    'list',
  ],
  'kill half-way': ['write'],
  'kill after': ['create', 'write', 'sync', 'syncDirectory', 'rename', 'unlink', 'makeDirectory'],
}
const LIES: Readonly<Record<string, readonly CallKind[]>> = {
  'lie: nothing': ['write', 'read', 'rename', 'unlink'],
  'lie: half': ['write', 'read'],
  'lie: others': ['write', 'read'],
}

/** All ways in which a call of that kind can go wrong. */
export function waysOf(kind: CallKind): Way[] {
  const ways: Way[] = []
  for (const forever of [false, true]) {
    for (const [error, kinds] of Object.entries(ERRORS)) {
      if (kinds.includes(kind)) ways.push({ action: 'fail', error: error as NonNullable<Way['error']>, forever })
    }
    if (kind === 'write') ways.push({ action: 'short', error: 'ENOSPC', forever })
  }
  for (const [action, kinds] of [...Object.entries(KILLS), ...Object.entries(LIES)]) {
    if (kinds.includes(kind)) ways.push({ action: action as Action, forever: false })
  }
  return ways
}

function ruleOf(fault: Fault): Rule {
  const { action, error, forever } = fault.way
  const kinds = forever && action === 'fail' ? ERRORS[error!] : [fault.kind]
  return {
    action,
    kinds,
    from: fault.call,
    ...(forever ? {} : { times: 1 }),
    ...(error === undefined ? {} : { error }),
  }
}

export const told = ({ call, kind, name, way }: Fault): string =>
  `call ${call} (${kind} ${name}): ${way.action}${way.error === undefined ? '' : ` ${way.error}`}${way.forever ? ', for ever' : ''}`

const isLie = (way: Way): boolean => way.action.startsWith('lie')
const isKill = (way: Way): boolean => way.action.startsWith('kill')
const mayHurtReads = ({ kind, way }: Fault): boolean =>
  isLie(way) ||
  ['read', 'open', 'create', 'size'].some((each) =>
    (way.forever && way.error !== undefined ? ERRORS[way.error] : [kind]).includes(each as CallKind),
  )

/** How the past ended, and how the log is synced. */
export interface Scene {
  readonly end: 'kill' | 'stop'
  readonly appendfsync: 'always' | 'everysec'
}

export const SCENES: readonly Scene[] = [
  { end: 'kill', appendfsync: 'everysec' },
  { end: 'stop', appendfsync: 'always' },
]

/** A directory with a past, and the calls of the story that follows it. */
export interface Stage {
  readonly scene: Scene
  readonly directory: string
  readonly histories: readonly History[]
  readonly calls: readonly Called[]
  /** How many of the calls are of the start: those of a second fault. */
  readonly startCalls: number
  close(): void
}

export interface Outcome {
  readonly fault: string
  readonly seed: number
  /** The fault met a call. */
  readonly fired: boolean
  /** What was wrong; empty: nothing. */
  readonly problems: readonly string[]
}

/** Two cores may be busy with much else. */
const READY_LIMIT_MS = 120_000

const argsOf = (scene: Scene): string[] => [...tiny, '--appendfsync', scene.appendfsync]

/** Makes the past and counts the calls of the story. Throws when already that goes wrong. */
export async function setStage(scene: Scene, seed: number): Promise<Stage> {
  const random = randomFrom(seed)
  const directory = mkdtempSync(join(tmpdir(), 'casky-faults-past-'))
  const server = await startServer('casky', { dir: directory, args: argsOf(scene) })
  const tellers = Array.from({ length: CLIENTS }, (_, i) => new Teller(i, randomFrom(random.below(2 ** 32))))
  await past(server, tellers)
  await (scene.end === 'kill' ? server.crash() : server.halt())
  const problems = tellers.flatMap((teller) => teller.problems)
  if (problems.length > 0) throw new Error(`the past went wrong: ${problems.join('\n')}`)
  const histories = tellers.map((teller) => teller.history)
  const close = (): void => rmSync(directory, { recursive: true, force: true })
  const run = new Run({ scene, directory, histories, calls: [], startCalls: 0, close }, seed)
  try {
    const { shim } = run
    const counted = await run.start()
    if (counted === null) throw new Error(run.problems.join('\n'))
    const startCalls = shim.calls
    await run.story(counted, null)
    const calls = shim.history()
    if (calls.length !== shim.calls) throw new Error('the story is too long for the ring of calls')
    await run.judge(false)
    if (run.problems.length > 0) throw new Error(`the story went wrong without a fault: ${run.problems.join('\n')}`)
    return { scene, directory, histories, calls, startCalls, close }
  } finally {
    run.close()
  }
}

/** Every call and way, in order. */
export function* everyFault(calls: readonly Called[]): Generator<Fault> {
  for (const { number, kind, name } of calls) {
    for (const way of waysOf(kind)) yield { call: number, kind, name, way }
  }
}

/**
 * The story under one fault, and the judgement. Never throws for what the server does wrong. `mercy`: after a lie less can be demanded
 * (history.ts); without it a lie is judged like any fault, which must condemn.
 */
export async function tellUnder(stage: Stage, fault: Fault, seed: number, mercy = true): Promise<Outcome> {
  const run = new Run(stage, seed)
  try {
    await run.under(fault, true)
    const lied = mercy && isLie(fault.way)
    if (run.problems.length === 0) await run.judge(lied)
    return { fault: told(fault), seed, fired: run.fired, problems: run.problems }
  } catch (error) {
    return { fault: told(fault), seed, fired: run.fired, problems: [...run.problems, String((error as Error).stack)] }
  } finally {
    run.close()
  }
}

/** One fault in the story; then, on copies of what it left, starts that fail in turn, each judged. */
export async function tellTwice(
  stage: Stage,
  fault: Fault,
  seconds: readonly Fault[],
  seed: number,
): Promise<Outcome[]> {
  const run = new Run(stage, seed)
  const outcomes: Outcome[] = []
  try {
    await run.under(fault, true)
    if (run.problems.length > 0) return [{ fault: told(fault), seed, fired: run.fired, problems: run.problems }]
    for (const second of seconds) {
      const again = new Run(
        { ...stage, directory: run.directory, histories: run.tellers.map((teller) => teller.history) },
        seed,
      )
      const both = `${told(fault)}; then ${told(second)}`
      try {
        await again.under(second, false)
        if (again.problems.length === 0) await again.judge(isLie(fault.way) || isLie(second.way))
        outcomes.push({ fault: both, seed, fired: run.fired && again.fired, problems: again.problems })
      } catch (error) {
        outcomes.push({
          fault: both,
          seed,
          fired: again.fired,
          problems: [...again.problems, String((error as Error).stack)],
        })
      } finally {
        again.close()
      }
    }
    return outcomes
  } finally {
    run.close()
  }
}

/** One run on a copy of a stage's directory. */
class Run {
  readonly directory: string
  readonly shim: Shim
  readonly tellers: readonly Teller[]
  readonly problems: string[] = []
  fired = false
  /** All that servers logged. */
  private said = ''
  private readonly stage: Stage
  private readonly random: Random

  constructor(stage: Stage, seed: number) {
    this.stage = stage
    this.random = randomFrom(seed)
    this.directory = mkdtempSync(join(tmpdir(), 'casky-faults-'))
    cpSync(stage.directory, this.directory, { recursive: true })
    this.shim = new Shim(this.directory)
    this.tellers = tellersAfter(stage.histories, this.random)
  }

  close(): void {
    this.shim.close()
    rmSync(this.directory, { recursive: true, force: true })
  }

  /** A start under the shim; null when the server ended instead, which it may where a fault fired. */
  async start(weather?: Weather): Promise<Server | null> {
    const { directory, shim, stage } = this
    try {
      return await startServer('casky', {
        dir: directory,
        args: argsOf(stage.scene),
        env: shim.env,
        readyLimitMs: READY_LIMIT_MS,
      })
    } catch (error) {
      const { message } = error as Error
      if (weather?.bad() !== true) this.problems.push(message)
      this.sane(message)
      if (!/ended \((1|null)\)/.test(message)) this.problems.push(`no clear end of a start: ${message}`)
      return null
    }
  }

  /** What clients do, and SIGTERM. */
  async story(
    server: Server,
    fault: Fault | null,
    weather: Weather = { bad: () => false, readsFail: false },
  ): Promise<void> {
    try {
      await tell(server, this.tellers, weather)
    } catch (error) {
      this.problems.push((error as Error).message)
    }
    for (const teller of this.tellers) this.problems.push(...teller.problems.splice(0))
    await this.end(server, fault)
  }

  private async end(server: Server, fault: Fault | null): Promise<void> {
    const exit = await server.halt()
    const killed = fault !== null && isKill(fault.way) && this.shim.fired > 0
    if (exit.code === null && !killed) this.problems.push(`SIGTERM did not end it, but ${exit.signal}`)
    if (exit.code !== 0 && this.shim.fired === 0)
      this.problems.push(`it ended with ${JSON.stringify(exit)} on a well disk: ${server.child.output().slice(-1500)}`)
    this.sane(server.child.output())
  }

  /** A start, and perhaps the story, with that fault. */
  async under(fault: Fault, withStory: boolean): Promise<void> {
    const { shim } = this
    shim.add(ruleOf(fault))
    const weather = { bad: () => shim.fired > 0, readsFail: mayHurtReads(fault) }
    const server = await this.start(weather)
    if (server !== null) {
      // A start that was lied to may show less than was: from here on that is the ground.
      if (shim.fired > 0 && isLie(fault.way)) await this.look(server, true, false)
      if (this.problems.length > 0 || !withStory) await this.end(server, fault)
      else await this.story(server, fault, weather)
    }
    this.fired = shim.fired > 0
    shim.heal()
  }

  /** Clean starts on a well disk; what they show is held against the histories. */
  async judge(lied: boolean): Promise<void> {
    const { directory, stage } = this
    let refused = false
    const clean = async (): Promise<Server | null> => {
      const extra = refused ? ['--on-corruption', 'serve'] : []
      try {
        return await startServer('casky', {
          dir: directory,
          args: [...argsOf(stage.scene), ...extra],
          readyLimitMs: READY_LIMIT_MS,
        })
      } catch (error) {
        const { message } = error as Error
        this.sane(message)
        if (refused || !lied || !message.includes('Records are lost')) {
          this.problems.push(`the start on a well disk failed: ${message}`)
          return null
        }
        refused = true
        return clean()
      }
    }
    for (let rounds = this.random.chance(1 / 3) ? 2 : 1; rounds > 0; rounds--) {
      const server = await clean()
      if (server === null) return
      await this.look(server, lied, refused)
      const stop = this.random.chance(0.5)
      const exit = await (stop ? server.halt() : server.crash())
      this.sane(server.child.output())
      if (stop && exit.code !== 0) this.problems.push(`a clean stop on a well disk ended with ${JSON.stringify(exit)}`)
      if (this.problems.length > 0) {
        this.problems.push(`files: ${readdirSync(directory).join(' ')}`, server.child.output().slice(-2500))
        return
      }
    }
  }

  /** A lie about a write that was not the log's last one must have been noticed: something is logged, or this is wrong. */
  private silence(): string[] {
    if (/Damage found|dropped|no good MANIFEST|could not be read|damaged|lost/.test(this.said)) return []
    const calls = this.shim.history()
    const lie = calls.find(({ action }) => action?.startsWith('lie'))
    if (lie === undefined || lie.kind !== 'write') return []
    const isData = ({ kind, name }: Called): boolean => kind === 'write' && name.endsWith('.data')
    const later = calls.some((call) => call.number > lie.number && isData(call) && call.errno === 0)
    return isData(lie) && later ? [`a lie (${lie.kind} ${lie.name}) was not noticed, and an older state is served`] : []
  }

  private async look(server: Server, lied: boolean, refused: boolean): Promise<void> {
    const connection = await server.connect({ replyLimitMs: 150_000 })
    try {
      for (const { databases, history } of this.tellers) {
        const wrong: string[] = []
        const found = await find(connection, databases, wrong)
        if (lied) {
          const { wrong: never, lost } = history.settleAfterLie(found, refused)
          wrong.push(...never)
          this.said += server.child.output()
          if (lost) wrong.push(...this.silence())
        } else {
          wrong.push(...history.settle(found))
        }
        this.problems.push(...wrong.slice(0, 12).map((problem) => `databases ${databases}: ${problem}`))
      }
    } finally {
      connection.close()
    }
  }

  /** Whatever the disk does: no bug, no trace of a stack. */
  private sane(output: string): void {
    this.said += output
    const bug = /Bug, exiting.*|^\s+at .*:\d+:\d+\)?$/m.exec(output)
    if (bug !== null)
      this.problems.push(`the server told of a bug: ${output.slice(Math.max(0, bug.index - 300), bug.index + 800)}`)
  }
}
