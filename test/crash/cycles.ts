// The kill -9 judge. Over one directory, again and again: start, ask for everything and hold it against the ledger, load,
// end. Every start is a check of all that went before, so a cycle costs one start.
//
// How it ends, by chance: SIGKILL under load, at a random moment or when a telling file comes or goes (moment.ts); SIGKILL at
// rest, so that a second restart has to give the same answers; SIGKILL while it starts; SIGTERM, and SIGKILL on top of it; a
// clean stop. Between two lives the caches (hints, keydir image) may vanish or be cut short: the same answers. MERGE WAIT,
// before a check and before a restart: the same answers.
//
// And where the run wants that, each life has another configuration (configuration.ts).

import { mkdtempSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import { type Random, randomFrom } from '../harness/random.ts'
import { encodeRequest, show } from '../harness/resp.ts'
import type { Kind } from '../harness/server.ts'
import { type Configuration, randomConfiguration, restless } from './configuration.ts'
import { meddle } from './meddler.ts'
import { momentToKill } from './moment.ts'
import { observe } from './observe.ts'
import { Owner, watch } from './owner.ts'
import { spawnVictim, startVictim, type Victim, type VictimOptions } from './victim.ts'

export interface CycleOptions {
  /** Kills. The run ends with the check after the last. */
  readonly cycles: number
  readonly seed: number
  /** One for the whole run; without it every life has a configuration of its own. */
  readonly appendfsync?: 'always' | 'everysec' | 'no'
  /** Default casky. redis-server judges the judge. */
  readonly kind?: Kind
  /** With `appendfsync`: directives that replace the tiny segments and restless merges. */
  readonly args?: readonly string[]
  readonly connections?: number
  /** The longest load before the kill, in ms. */
  readonly loadMs?: number
  /** Told after each life, with the kills so far. */
  progress?(kills: number, operations: number): void
  /** Asked before each life: true ends the run early. */
  stop?(): boolean
}

export interface CycleResult {
  /** SIGKILLs. */
  readonly cycles: number
  /** How many of them at which moment. */
  readonly moments: ReadonlyMap<string, number>
  /** Files found half-made after a kill, by kind. */
  readonly halfMade: ReadonlyMap<string, number>
  /** Operations acknowledged in all. */
  readonly operations: number
  /** Starts that became ready, each followed by a check of everything. */
  readonly restarts: number
  /** What went wrong, with the cycle; empty: nothing. The run stops at the first cycle that has any. */
  readonly problems: readonly string[]
  /** The data directory of a failed run, kept to be looked at. */
  readonly keptDir?: string
}

/** Runs the cycles. Never throws for what the server does wrong: that is in `problems`. */
export async function killCycles(options: CycleOptions): Promise<CycleResult> {
  const random = randomFrom(options.seed)
  const home = mkdtempSync(join(tmpdir(), 'casky-crash-'))
  const owners = Array.from(
    { length: options.connections ?? 4 },
    (_, i) => new Owner(i, randomFrom(random.below(2 ** 32))),
  )
  const run = new Run(options, random, home, owners)
  try {
    while (run.kills < options.cycles && run.problems.length === 0 && options.stop?.() !== true) {
      await run.life()
      if (run.problems.length === 0) options.progress?.(run.kills, run.operations)
    }
    if (run.problems.length === 0) await run.lastLife()
  } catch (error) {
    run.problems.push(`the server did not come back: ${(error as Error).message}`)
  }
  const failed = run.problems.length > 0
  if (!failed) rmSync(home, { recursive: true, force: true })
  return {
    cycles: run.kills,
    moments: run.moments,
    halfMade: run.halfMade,
    operations: run.operations,
    restarts: run.restarts,
    problems: run.problems.map((problem) => `cycle ${run.kills}, seed ${options.seed}: ${problem}`),
    ...(failed ? { keptDir: home } : {}),
  }
}

/** What the log says only of real damage; after a kill there is none. */
const ALARMING = /Damage found|no good MANIFEST|records are lost|is damaged|Bug, exiting|cannot be read by itself/

type Ending = 'load' | 'rest' | 'start' | 'stop' | 'clean'

class Run {
  kills = 0
  restarts = 0
  readonly moments = new Map<string, number>()
  readonly halfMade = new Map<string, number>()
  readonly problems: string[] = []
  private readonly options: CycleOptions
  private readonly kind: Kind
  private readonly random: Random
  private readonly dir: string
  private readonly socket: string
  private readonly owners: readonly Owner[]
  /** How long the last start took. */
  private readyMs = 250
  /** Who had data when a FLUSHALL was sent that nobody waited for. */
  private flushing: Owner[] = []
  /** What happened to the directory since the last check, for messages. */
  private story: string[] = ['a first start']

  constructor(options: CycleOptions, random: Random, home: string, owners: readonly Owner[]) {
    this.options = options
    this.kind = options.kind ?? 'casky'
    this.random = random
    this.dir = join(home, 'data')
    this.socket = join(home, 'socket')
    this.owners = owners
  }

  get operations(): number {
    return this.owners.reduce((sum, owner) => sum + owner.operations, 0)
  }

  /** Start, check, perhaps load, end. */
  async life(): Promise<void> {
    const configuration = this.configure()
    await this.live(configuration)
    if (this.problems.length === 0) return
    this.problems.push(`${configuration.poolThreads} pool threads, ${configuration.args.join(' ')}`)
  }

  private async live(configuration: Configuration): Promise<void> {
    const { random } = this
    const ending = this.chooseEnding()
    if (ending === 'start') return this.dieStarting(configuration)
    const victim = await this.start(configuration)
    if (this.problems.length > 0) return void (await victim.crash())
    if (this.kind === 'casky' && random.chance(0.06)) await this.merge(victim)
    if (random.chance(0.03)) await this.flushAll(victim)
    else if (random.chance(0.02)) return this.dieFlushingAll(victim)
    if (ending !== 'rest') await this.load(victim, ending)
    else {
      await victim.crash()
      this.killed('at rest')
    }
    this.mistreatCaches()
  }

  /** The last check. */
  async lastLife(): Promise<void> {
    const victim = await this.start(this.configure())
    await victim.crash()
  }

  private configure(): Configuration {
    const { appendfsync, args } = this.options
    if (this.kind === 'casky' && appendfsync === undefined) {
      return randomConfiguration(this.random, 2 * this.owners.length)
    }
    const more = this.kind === 'redis' ? ['--appendonly', 'yes', ...(args ?? [])] : (args ?? restless)
    return { args: [...more, '--appendfsync', appendfsync ?? 'everysec'], poolThreads: 8 }
  }

  private chooseEnding(): Ending {
    const dice = this.random.next()
    if (dice < 0.68) return 'load'
    if (dice < 0.8) return 'rest'
    if (dice < 0.88) return 'start'
    if (dice < 0.94) return 'stop'
    return 'clean'
  }

  private victim({ args, poolThreads }: Configuration): VictimOptions {
    return { kind: this.kind, dir: this.dir, socket: this.socket, args, poolThreads }
  }

  private async start(configuration: Configuration): Promise<Victim> {
    this.restarts++
    const victim = await startVictim(this.victim(configuration))
    this.readyMs = victim.readyMs
    await this.check(victim)
    return victim
  }

  /** Spawned, and killed anywhere between its first instruction and being ready. */
  private async dieStarting(configuration: Configuration): Promise<void> {
    const starting = await spawnVictim(this.victim(configuration))
    // Most of a start is Node's own, and the engine's part comes late: so anywhere up to where the last start was ready, or at
    // one of the first changes that recovery makes.
    if (this.random.chance(0.5)) await momentToKill(this.dir, this.random, this.readyMs * 1.2)
    else await after(this.random.next() * this.readyMs * 1.1)
    starting.kill('SIGKILL')
    await starting.exited
    if (starting.exit?.signal !== 'SIGKILL') {
      this.problems.push(`it ended by itself: ${JSON.stringify(starting.exit)}\n${starting.output().slice(-3000)}`)
    }
    const isReady = starting.output().includes('Ready to accept connections')
    this.killed(isReady ? 'just started' : 'while starting')
    this.mistreatCaches()
  }

  /** All owners write, a reader reads, a meddler meddles; then the end. Those connections are gone when it returns. */
  private async load(victim: Victim, ending: 'load' | 'stop' | 'clean'): Promise<void> {
    const { random } = this
    const open = (): ReturnType<Victim['connect']> => victim.connect()
    const connections = await Promise.all(this.owners.map(open))
    const writing = Promise.all(this.owners.map((owner, i) => owner.run(connections[i]!)))
    const reading = watch(await open(), this.owners, randomFrom(random.below(2 ** 32)))
    const meddling =
      this.kind === 'casky' ? meddle(open, randomFrom(random.below(2 ** 32))) : Promise.resolve<string[]>([])
    const moment = await momentToKill(this.dir, random, this.options.loadMs ?? 400)
    if (ending === 'load') {
      await victim.crash()
      this.killed(moment)
    } else if (ending === 'stop') {
      victim.child.kill('SIGTERM')
      await after(random.between(0, 60))
      const exit = await victim.crash()
      this.killed(exit.signal === null ? 'too late, it had stopped' : 'while stopping')
      if (exit.signal === null && exit.code !== 0) this.problems.push(`SIGTERM ended with ${JSON.stringify(exit)}`)
    } else {
      const exit = await victim.halt()
      if (exit.code !== 0) this.problems.push(`SIGTERM ended with ${JSON.stringify(exit)}`)
      this.story.push('a clean stop')
    }
    await writing
    this.problems.push(...(await reading), ...(await meddling))
    for (const owner of this.owners) this.problems.push(...owner.problems.splice(0))
    if (this.problems.length > 0) this.problems.push(`before its end the server said:\n${tail(victim)}`)
  }

  private killed(moment: string): void {
    this.kills++
    this.moments.set(moment, (this.moments.get(moment) ?? 0) + 1)
    this.story.push(`a kill (${moment})`)
    for (const name of list(this.dir)) {
      if (!name.endsWith('.new')) continue
      const kind = name.replace(/^\d+/, '').replace(/\.new$/, '')
      this.halfMade.set(kind, (this.halfMade.get(kind) ?? 0) + 1)
    }
  }

  /** Reads everything of everybody and holds it against the ledgers. */
  private async check(victim: Victim): Promise<void> {
    const connection = await victim.connect()
    const when = `after ${this.story.join(', ')}`
    for (const owner of this.owners) {
      const problems: string[] = []
      const observed = await observe(connection, owner.databases, problems)
      problems.push(...owner.ledger.settle(observed))
      this.problems.push(...problems.slice(0, 12).map((problem) => `${when}, owner ${owner.number}: ${problem}`))
    }
    connection.close()
    this.checkFlush(when)
    const alarm = this.kind === 'casky' ? ALARMING.exec(victim.child.output()) : null
    if (alarm !== null) this.problems.push(`${when}: it speaks of damage: ${alarm[0]}`)
    if (this.problems.length > 0) this.problems.push(`the server said:\n${tail(victim)}`)
    this.story = []
  }

  /** What merges by itself is not asked twice: only the data has to be the same. */
  private async merge(victim: Victim): Promise<void> {
    const connection = await victim.connect()
    const reply = await connection.call('MERGE', 'WAIT')
    connection.close()
    if (typeof reply !== 'number') this.problems.push(`MERGE WAIT was answered ${show(reply)}`)
    this.story.push('MERGE WAIT')
    await this.check(victim)
    this.story.push('MERGE WAIT')
  }

  /** FLUSHALL empties everybody's databases at once. */
  private async flushAll(victim: Victim): Promise<void> {
    const connection = await victim.connect()
    const operations = this.owners.map((owner) => owner.flush())
    const reply = await connection.call('FLUSHALL')
    connection.close()
    if (reply !== 'OK') this.problems.push(`FLUSHALL was answered ${show(reply)}`)
    for (const [i, owner] of this.owners.entries()) owner.ledger.acknowledge(operations[i]!)
    this.story.push('FLUSHALL')
  }

  /** A FLUSHALL that is not waited for: the next check has to find everybody's data, or nobody's. */
  private async dieFlushingAll(victim: Victim): Promise<void> {
    const connection = await victim.connect()
    this.flushing = this.owners.filter((owner) => owner.ledger.invoked.size > 0)
    for (const owner of this.owners) owner.flush()
    connection.send(encodeRequest(['FLUSHALL']))
    await after(this.random.between(0, 3))
    await victim.crash()
    connection.close()
    this.killed('in a FLUSHALL')
  }

  private checkFlush(when: string): void {
    const left = this.flushing.filter((owner) => owner.ledger.invoked.size > 0).length
    if (left !== 0 && left !== this.flushing.length) {
      this.problems.push(`${when}: FLUSHALL emptied the databases of some and left those of ${left} others`)
    }
    this.flushing = []
  }

  /** Hints and keydir image: everything in them can be had from the data. */
  private mistreatCaches(): void {
    if (this.kind !== 'casky' || this.random.chance(0.75)) return
    const isShortened = this.random.chance(0.5)
    const chosen = this.random.chance(0.5) ? 1 : 0.3
    this.story.push(isShortened ? 'caches cut short' : 'caches removed')
    for (const name of list(this.dir)) {
      if (!/\.(hint|image)$/.test(name) || !this.random.chance(chosen)) continue
      const path = join(this.dir, name)
      if (isShortened) truncateSync(path, Math.floor(statSync(path).size * this.random.next()))
      else rmSync(path)
    }
  }
}

function list(dir: string): string[] {
  try {
    return readdirSync(dir)
  } catch {
    return [] // killed before it was made
  }
}

const tail = (victim: Victim): string => victim.child.output().slice(-3000)
