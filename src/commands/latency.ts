// LATENCY: what took long, event by event, and how long commands take.
//
// LATEST, HISTORY, GRAPH, DOCTOR and RESET tell of the latency monitor (server/latency.ts), which is off until
// latency-monitor-threshold says what long is. HISTOGRAM tells of all timed calls (server/statistics.ts says which are timed; the
// counts of a command that comes often in pipelines are estimates).

import type { Args } from '../resp/args.ts'
import { ADMIN, type Command, LOADING, NOSCRIPT, STALE } from './command.ts'
import { replyWithHelp } from './help.ts'
import type { CommandLatency, LatencySample, LatencySeries, Session } from './session.ts'
import { sparkline } from './sparkline.ts'
import { subcommandsOf } from './subcommands.ts'

const FLAGS = ADMIN | NOSCRIPT | LOADING | STALE
const OF_NODES = ['nondeterministic_output', 'request_policy:all_nodes', 'response_policy:special'] as const

const subcommands = [
  {
    name: 'LATENCY|LATEST',
    arity: 2,
    flags: FLAGS,
    keys: null,
    tips: OF_NODES,
    run: latest,
    summary: 'Returns the newest and the worst sample of each event.',
    since: '2.8.13',
    group: 'server',
    complexity: 'O(1)',
  },
  {
    name: 'LATENCY|HISTORY',
    arity: 3,
    flags: FLAGS,
    keys: null,
    tips: OF_NODES,
    run: history,
    summary: 'Returns the samples of an event.',
    since: '2.8.13',
    group: 'server',
    complexity: 'O(1)',
  },
  {
    name: 'LATENCY|RESET',
    arity: -2,
    flags: FLAGS,
    keys: null,
    tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
    run: reset,
    summary: 'Forgets the samples of events, or of all.',
    since: '2.8.13',
    group: 'server',
    complexity: 'O(1)',
  },
  {
    name: 'LATENCY|HISTOGRAM',
    arity: -2,
    flags: FLAGS,
    keys: null,
    tips: OF_NODES,
    run: histogram,
    summary: 'Returns how many calls of a command took how long.',
    since: '7.0.0',
    group: 'server',
    complexity: 'O(N) for N commands.',
  },
  {
    name: 'LATENCY|GRAPH',
    arity: 3,
    flags: FLAGS,
    keys: null,
    tips: OF_NODES,
    run: graph,
    summary: 'Draws the samples of an event.',
    since: '2.8.13',
    group: 'server',
    complexity: 'O(1)',
  },
  {
    name: 'LATENCY|DOCTOR',
    arity: 2,
    flags: FLAGS,
    keys: null,
    tips: OF_NODES,
    run: doctor,
    summary: 'Explains what took long, and what can be done.',
    since: '2.8.13',
    group: 'server',
    complexity: 'O(1)',
    difference: 'Its text is its own.',
  },
  {
    name: 'LATENCY|HELP',
    arity: 2,
    flags: LOADING | STALE,
    keys: null,
    run: (session) => replyWithHelp(session, 'LATENCY', HELP),
    summary: 'Explains the subcommands.',
    since: '2.8.13',
    group: 'server',
    complexity: 'O(1)',
  },
] as const satisfies readonly Command[]

export const latencyCommands = [
  {
    name: 'LATENCY',
    arity: -2,
    flags: 0,
    keys: null,
    subcommands: subcommandsOf(subcommands),
    run: () => {},
    summary: 'A container for commands about what takes long.',
    since: '2.8.13',
    group: 'server',
    complexity: 'That of the subcommand.',
  },
] as const satisfies readonly Command[]

const HELP = [
  'DOCTOR',
  '    Explains what took long, and what can be done.',
  'GRAPH <event>',
  '    Draws the samples of an event.',
  'HISTORY <event>',
  '    Time and milliseconds of each sample of an event.',
  'LATEST',
  '    Of each event: time and milliseconds of the newest sample, milliseconds of the worst.',
  'RESET [<event> ...]',
  '    Forgets the samples of these events, or of all.',
  'HISTOGRAM [<command> ...]',
  '    How many calls of these commands, or of all, took at most how many microseconds.',
]

function latest({ reply, server }: Session): void {
  const { events } = server.latency
  reply.array(events.size)
  for (const [name, { samples, worstMs }] of events) {
    const { second, ms } = samples.at(-1)!
    reply.array(4)
    reply.bulkText(name)
    reply.integer(second)
    reply.integer(ms)
    reply.integer(worstMs)
  }
}

function history({ reply, server }: Session, args: Args): void {
  const samples = server.latency.events.get(args.at(2).key())?.samples ?? []
  reply.array(samples.length)
  for (const { second, ms } of samples) {
    reply.array(2)
    reply.integer(second)
    reply.integer(ms)
  }
}

function reset({ reply, server }: Session, args: Args): void {
  reply.integer(server.latency.reset(names(args)))
}

/** The arguments after the subcommand. */
function names(args: Args): string[] {
  return Array.from({ length: args.count - 2 }, (_, i) => args.at(2 + i).key())
}

function histogram({ reply, server }: Session, args: Args): void {
  const all = server.commandLatencies()
  const wanted = args.count === 2 ? all : names(args).flatMap((name) => latenciesOf(name.toUpperCase(), all))
  reply.map(wanted.length)
  for (const { command, calls, steps } of wanted) {
    reply.bulkText(command.name.toLowerCase())
    reply.map(2)
    reply.bulkText('calls')
    reply.integer(calls)
    reply.bulkText('histogram_usec')
    reply.map(steps.length)
    for (const [microseconds, count] of steps) {
      reply.integer(microseconds)
      reply.integer(count)
    }
  }
}

/** Of a command, or of all subcommands of a container. */
function latenciesOf(name: string, all: readonly CommandLatency[]): CommandLatency[] {
  return all.filter(({ command }) => command.name === name || command.name.startsWith(`${name}|`))
}

function graph({ now, reply, server }: Session, args: Args): void {
  const name = args.at(2).key()
  const series = server.latency.events.get(name)
  if (series === undefined) return reply.error(`ERR No samples available for event '${name.slice(0, 128)}'`)
  const { samples, worstMs } = series
  const values = samples.map(({ ms }) => ms)
  const head = `${name} - high ${Math.max(...values)} ms, low ${Math.min(...values)} ms (all time high ${worstMs} ms)`
  reply.verbatim('txt', `${head}\n${'-'.repeat(80)}\n${sparkline(values, ages(samples, Math.floor(now / 1000)))}`)
}

function ages(samples: readonly LatencySample[], nowSecond: number): string[] {
  return samples.map(({ second }) => {
    const age = Math.max(0, nowSecond - second)
    if (age < 60) return `${age}s`
    if (age < 3600) return `${Math.floor(age / 60)}m`
    if (age < 86_400) return `${Math.floor(age / 3600)}h`
    return `${Math.floor(age / 86_400)}d`
  })
}

function doctor({ reply, server }: Session): void {
  const { events, thresholdMs } = server.latency
  let text: string
  if (events.size === 0) {
    text =
      thresholdMs === 0
        ? 'The latency monitor is off. CONFIG SET latency-monitor-threshold <milliseconds> turns it on.\n'
        : `Nothing has taken ${thresholdMs} ms or longer since the latency monitor was turned on or reset.\n`
  } else {
    const lines = [...events].map(([name, series], i) => `${i + 1}. ${name}: ${described(series)}`)
    const advice = [...events.keys()].map((name) => ADVICE[name]).filter((it) => it !== undefined)
    text = `What took long:\n\n${lines.join('\n')}\n\nWhat can be done:\n\n${[...new Set(advice)].map((it) => `- ${it}`).join('\n')}\n`
  }
  reply.verbatim('txt', text)
}

function described({ samples, worstMs }: LatencySeries): string {
  const mean = samples.reduce((sum, { ms }) => sum + ms, 0) / samples.length
  const deviation = samples.reduce((sum, { ms }) => sum + Math.abs(ms - mean), 0) / samples.length
  const seconds = samples.at(-1)!.second - samples[0]!.second
  const period = samples.length > 1 ? `, one every ${(seconds / (samples.length - 1)).toFixed(1)} s` : ''
  return `${samples.length} samples, average ${mean.toFixed(0)} ms, mean deviation ${deviation.toFixed(0)} ms${period}, worst ever ${worstMs} ms`
}

const SLOW_COMMANDS =
  'SLOWLOG GET tells which commands were slow (slowlog-log-slower-than: from how many microseconds).'
const SLOW_DISK =
  'The disk is slow or busy. Replies wait for it with appendfsync always; with everysec only when it is seconds late.'
const ADVICE: Readonly<Record<string, string>> = {
  command: SLOW_COMMANDS,
  'fast-command': SLOW_COMMANDS,
  stall:
    'Quick commands took long together: the process did not get the processor, or collected garbage. Look at what else runs here.',
  write: SLOW_DISK,
  fsync: SLOW_DISK,
  'expire-cycle': 'Many keys expire in the same second: spread their times.',
}
