// The differential fuzz: batches of commands to Casky and to redis-server, replies and states compared.
//
// A batch is known by its seed alone (and the list of commands both servers have), so a failure is replayed by it:
//
//   npx tsx test/fuzz/main.ts --seed N

import type { Reply } from '../harness/resp.ts'
import { type Kind, type Server, startServer } from '../harness/server.ts'
import { compare, type Finding } from './compare.ts'
import { generate, sendable } from './generate.ts'
import { shapes } from './grammar.ts'
import { ask, play } from './play.ts'
import { shrink } from './shrink.ts'
import { stateDifference, stateOf } from './state.ts'
import { type Batch, commandsOf, written } from './step.ts'
import { Wire } from './wire.ts'

/** Steps in a batch: enough for keys to have a history, few enough to shrink quickly. */
const STEPS = 150

export interface FuzzOptions {
  /** Commands to send, about. */
  readonly commands: number
  /** The first batch's seed; the next has the next number. */
  readonly seed: number
  /** Directives for Casky beside the defaults: with `--value-cache-size 0` every value is read from the disk. */
  readonly args?: readonly string[]
  /** Who is held against redis-server: Casky, or redis-server itself, which must not differ from itself. */
  readonly kind?: Kind
  /** Stands between the fuzzer and that server, and may lie: given its port, returns the one to speak to. */
  readonly relay?: (port: number) => Promise<number>
  /** Go on after a difference until there are this many different ones. */
  readonly findings?: number
  readonly progress?: (line: string) => void
}

export interface FuzzResult {
  readonly commands: number
  readonly batches: number
  readonly names: readonly string[]
  /** Printable: seed, shortest steps, what each server said. */
  readonly findings: readonly string[]
}

export async function fuzz(options: FuzzOptions): Promise<FuzzResult> {
  const servers = await Servers.start(options)
  try {
    const names = await servers.commonCommands()
    const findings = new Map<string, string>()
    let sent = 0
    let batches = 0
    for (let seed = options.seed; sent < options.commands; seed++) {
      const batch = generate({ seed, commands: names, steps: STEPS })
      const finding = await servers.difference(batch)
      sent += commandsOf(batch.steps)
      batches++
      if (finding !== undefined && !findings.has(signature(finding))) {
        const story = await storyOf(batch, finding, servers)
        findings.set(signature(finding), story)
        options.progress?.(story)
        if (findings.size >= (options.findings ?? 1)) break
      }
      if (batches % 200 === 0) options.progress?.(`${sent} commands, ${findings.size} differences`)
    }
    return { commands: sent, batches, names, findings: [...findings.values()] }
  } finally {
    await servers.stop()
  }
}

/** Two findings of one signature are most likely one bug. */
function signature(finding: Finding): string {
  const gist = (reply: string): string =>
    reply
      .slice(0, 60)
      .replace(/[0-9]+/g, '0')
      .replace(/'.*'/, "''")
  return `${finding.command}: ${gist(finding.expected)} / ${gist(finding.got)}`
}

/** While a finding is made shorter it must stay the same one, as far as its first words tell. */
const kindOf = (finding: Finding): string =>
  `${finding.command.split(' ', 1)[0]} ${finding.expected.slice(0, 12)} ${finding.got.slice(0, 12)}`

async function storyOf(batch: Batch, finding: Finding, servers: Servers): Promise<string> {
  let last = finding
  const steps = await shrink(batch.steps.slice(0, finding.at + 1), async (candidate) => {
    const found = await servers.difference({ ...batch, steps: candidate })
    if (found === undefined || kindOf(found) !== kindOf(finding)) return false
    last = found
    return true
  })
  const cut = (text: string): string => JSON.stringify(text.length > 600 ? `${text.slice(0, 600)}...` : text)
  return [
    `seed ${batch.seed} (npx tsx test/fuzz/main.ts --seed ${batch.seed})${batch.events === '' ? '' : `, notify-keyspace-events ${batch.events}`}${batch.keepsExpired ? ', DEBUG SET-ACTIVE-EXPIRE 0' : ''}`,
    ...steps.map((step) => `  ${written(step).replaceAll('\n', '\n  ')}`),
    `    redis-server ${cut(last.expected)}`,
    `    Casky        ${cut(last.got)}`,
  ].join('\n')
}

/** Batches switch active expiry off. */
const DEBUG = ['--enable-debug-command', 'yes']

const startJudged = ({ kind = 'casky', args = [] }: FuzzOptions): Promise<Server> =>
  startServer(kind, { args: [...DEBUG, ...args] })

const relayed = async (server: Server, { relay }: FuzzOptions): Promise<number> =>
  relay === undefined ? server.port : relay(server.port)

/** The two servers. One that has died is a finding, and is started again for the next batch. */
class Servers {
  private casky: Server
  private readonly redis: Server
  private readonly options: FuzzOptions
  /** Where Casky is spoken to. */
  private port: number

  private constructor(casky: Server, redis: Server, port: number, options: FuzzOptions) {
    this.casky = casky
    this.redis = redis
    this.port = port
    this.options = options
  }

  static async start(options: FuzzOptions): Promise<Servers> {
    const [casky, redis] = await Promise.all([startJudged(options), startServer('redis', { args: DEBUG })])
    return new Servers(casky, redis, await relayed(casky, options), options)
  }

  async stop(): Promise<void> {
    await Promise.all([this.casky.stop(), this.redis.stop()])
  }

  async commonCommands(): Promise<string[]> {
    const [ours, theirs] = await Promise.all([listed(this.port), listed(this.redis.port)])
    const names = sendable(ours, theirs)
    // redis-server has lists and what blocks on them; Casky's commands are those that have a shape.
    return this.options.kind === 'redis' ? names.filter((name) => name in shapes) : names
  }

  /** Plays the batch on both; the first difference in replies, or else in what the servers then hold. */
  async difference(batch: Batch): Promise<Finding | undefined> {
    const theirs = await play(batch, this.redis.port)
    const theirState = await stateOf(this.redis.port, !batch.keepsExpired)
    try {
      const ours = await play(batch, this.port)
      const finding = compare(batch.steps, theirs, ours)
      if (finding !== undefined) return finding
      const state = stateDifference(theirState, await stateOf(this.port, !batch.keepsExpired))
      if (state.expected === state.got) return undefined
      return { at: batch.steps.length, command: '(state)', ...state }
    } catch (error) {
      const dead = this.casky.child.exit !== undefined
      if (!dead) throw error
      const last = this.casky.child.output().slice(-1500)
      await this.casky.stop()
      this.casky = await startJudged(this.options)
      this.port = await relayed(this.casky, this.options)
      return { at: batch.steps.length, command: '(crash)', expected: 'alive', got: `dead: ${last}` }
    }
  }
}

/** Names of commands in capitals, subcommands as `CLIENT ID`; a container by its subcommands only. */
async function listed(port: number): Promise<Set<string>> {
  const wire = await Wire.open(port)
  const names = new Set<string>()
  const add = (rows: Reply): void => {
    for (const row of rows as Reply[][]) {
      const subcommands = row[9] as Reply[]
      if (subcommands.length > 0) add(subcommands)
      else names.add((row[0] as Buffer).toString().replace('|', ' ').toUpperCase())
    }
  }
  add((await ask(wire, 'COMMAND')).value)
  wire.close()
  return names
}
