// Surface 3, introspection: a real Casky beside a real redis-server.
//
//   npx tsx test/acceptance/surface-3-introspection.ts          needs `npm run build` and redis-server
//
// Played: the conformance cases about the server and its clients, byte for byte, in both protocols. Then every row of the command
// table against COMMAND INFO and DOCS, INFO's fields against Redis's, and SLOWLOG and LATENCY against a command that is known to be slow.

import { commandTable } from '../../src/commands/table.ts'
import { compare } from '../conformance/compare.ts'
import { differences } from '../conformance/differences.ts'
import { authentication, connections } from '../conformance/families/connections.ts'
import { introspection } from '../conformance/families/introspection.ts'
import { server as serverFamily } from '../conformance/families/server.ts'
import { normalisers } from '../conformance/normalise.ts'
import { play } from '../conformance/play.ts'
import type { Family } from '../conformance/script.ts'
import type { Reply } from '../harness/resp.ts'
import { type Server, startServer } from '../harness/server.ts'
import { Verdict } from './verdict.ts'

const verdict = new Verdict('surface 3: introspection')
const sleepy = ['--enable-debug-command', 'yes']
const [casky, redis] = await Promise.all([
  startServer('casky', { args: sleepy }),
  startServer('redis', { args: sleepy }),
])

/** Commands that 7.0 has not, or Casky's own. */
const NEWER = /^(merge(\|.*)?|waitaof|client\|(setinfo|no-touch))$/
/** Rows that say something else on purpose. */
const OWN_ROWS: Readonly<Record<string, string>> = {
  rename: 'writes the value again, so it needs room: denyoom',
  renamenx: 'as rename',
  move: 'as rename',
  'restore-asking': 'no cluster, so no flag asking',
  client: 'has SETINFO and NO-TOUCH of 7.2',
  script: 'has no LOAD and DEBUG: there are no scripts',
}
/** Fields of Redis's INFO that Casky leaves out, with what they would have to tell. */
const LEFT_OUT: readonly (readonly [fields: RegExp, why: string])[] = [
  [
    /^(allocator_.*|mem_allocator|rss_overhead_.*|mem_not_counted_for_evict|lazyfree.*|active_defrag.*|.*active_defrag.*)$/,
    'an allocator',
  ],
  [
    /^(.*_cow_.*|current_fork_perc|current_save_.*|latest_fork_usec|total_forks|module_fork_.*|rdb_current_.*)$/,
    'forks',
  ],
  [/^(used_memory_(lua|vm|scripts|functions).*|used_memory_(lua|scripts)_human)$/, 'scripts'],
  [
    /^(master_.*|second_repl_offset|repl_backlog.*|mem_.*repl.*|mem_clients_slaves|.*_repl_.*|slave_expires.*)$/,
    'replication',
  ],
  [/^(mem_cluster_links|cluster_connections|migrate_cached_sockets|dump_payload_sanitizations)$/, 'a cluster'],
  [
    /^(redis_git_.*|redis_build_id|gcc_version|atomicvar_api|multiplexing_api|monotonic_clock|process_supervised)$/,
    'a build in C',
  ],
  [/^(io_threads_active|io_threaded_.*|used_cpu_.*_(children|main_thread))$/, 'threads of its kind'],
  [/^(.*_eviction_exceeded_time|reply_buffer_.*|clients_in_timeout_table)$/, 'what Casky does otherwise'],
  [/^(expired_(stale_perc|time_cap_reached_count)|expire_cycle_cpu_milliseconds)$/, 'a sampling expiry cycle'],
  [
    /^(aof_(rewrite_scheduled|current_rewrite_time_sec|rewrites_consecutive_failures)|rdb_last_load_.*|mem_aof_buffer)$/,
    'a rewritten log',
  ],
  [/^used_memory_dataset_perc$/, 'the share of memory that is data, which V8 does not tell'],
]

let exchanges = 0

await verdict.part('conformance', async () => {
  let deliberate = 0
  const wrong: string[] = []
  const families: readonly Family[] = [introspection, connections, serverFamily]
  for (const family of families) {
    for (const protocol of [2, 3] as const) {
      for (const one of family.cases) {
        const [ours, theirs] = await Promise.all([play(one, casky, protocol), play(one, redis, protocol)])
        const { problems, used } = compare(one, protocol, ours, theirs, differences)
        exchanges += one.steps.length
        deliberate += used.length
        for (const problem of problems) wrong.push(`${family.name}, RESP${protocol}, ${one.title}: ${problem}`)
      }
    }
  }
  verdict.figure('exchanges of cases compared', `${exchanges}, ${deliberate} differ by a row of differences.ts`)
  verdict.demand(wrong.length === 0, 'every other answer is the same', wrong.join('\n'))
})

await verdict.part('with a password', async () => {
  const password = authentication.password!
  const both = await Promise.all([startServer('casky', { password }), startServer('redis', { password })])
  const wrong: string[] = []
  for (const protocol of [2, 3] as const) {
    for (const one of authentication.cases) {
      const [ours, theirs] = await Promise.all(both.map((each) => play(one, each, protocol, password)))
      exchanges += one.steps.length
      wrong.push(...compare(one, protocol, ours!, theirs!, differences).problems)
    }
  }
  await Promise.all(both.map((each) => each.stop()))
  verdict.demand(wrong.length === 0, 'the same with a password', wrong.join('\n'))
})

await verdict.part('the command table', async () => {
  const names = [...commandTable.byName.values()]
    .flatMap((it) => [it, ...(it.subcommands?.values() ?? [])])
    .map((it) => it.name.toLowerCase())
    .filter((name) => !NEWER.test(name))
  const wrong: string[] = []
  const agrees = new Set<string>()
  for (const protocol of [2, 3] as const) {
    const ask = await asker(protocol)
    for (const name of names) {
      for (const [normaliser, subcommand] of [
        ['described', 'INFO'],
        ['documented', 'DOCS'],
      ] as const) {
        const [ours, theirs] = await ask(normaliser, 'COMMAND', subcommand, name)
        exchanges++
        if (ours === theirs) continue
        if (name in OWN_ROWS) agrees.add(name)
        else wrong.push(`COMMAND ${subcommand} ${name}, RESP${protocol}`)
      }
    }
  }
  verdict.figure('commands and subcommands described', `${names.length}, ${agrees.size} otherwise on purpose`)
  for (const name of agrees) verdict.figure(`  ${name}`, OWN_ROWS[name]!)
  verdict.demand(wrong.length === 0, 'all others are described as Redis describes them', wrong.join('\n'))
})

await verdict.part('INFO', async () => {
  const fields = async (server: Server): Promise<string[]> => {
    const connection = await server.connect()
    const text = String(await connection.call('INFO', 'everything'))
    connection.close()
    return [...text.matchAll(/^(\w+):/gm)]
      .map((match) => match[1]!)
      .filter((it) => !/^(cmdstat|errorstat|latency_perc|db\d)/.test(it))
  }
  const [ours, theirs] = await Promise.all([fields(casky), fields(redis)])
  const missing = theirs.filter((name) => !ours.includes(name))
  const unexplained = missing.filter((name) => !LEFT_OUT.some(([pattern]) => pattern.test(name)))
  verdict.figure(
    'fields of INFO',
    `Redis ${theirs.length}, Casky ${ours.length}, of Redis's ${theirs.length - missing.length}`,
  )
  for (const [pattern, why] of LEFT_OUT)
    verdict.figure(`  left out: ${why}`, missing.filter((it) => pattern.test(it)).length)
  verdict.demand(unexplained.length === 0, 'what is left out has a reason', unexplained.join(' '))
  const order = theirs.filter((name) => ours.includes(name))
  const inCasky = ours.filter((name) => theirs.includes(name))
  verdict.demand(order.join() === inCasky.join(), "fields stand in Redis's order", firstDifference(order, inCasky))
})

await verdict.part('SLOWLOG and LATENCY see what is slow', async () => {
  for (const server of [casky, redis]) {
    const connection = await server.connect()
    await connection.call('CONFIG', 'SET', 'latency-monitor-threshold', '20')
    await connection.call('SLOWLOG', 'RESET')
    for (let i = 0; i < 1000; i++) await connection.call('GET', 'quick')
    await connection.call('DEBUG', 'SLEEP', '0.05')
    const entries = (await connection.call('SLOWLOG', 'GET', '-1')) as Reply[][]
    const slept = entries.filter(([, , , args]) => String((args as Buffer[])[0]) === 'DEBUG')
    verdict.demand(
      slept.length === 1 && Number(slept[0]![2]) >= 50_000,
      `${server.kind}: DEBUG SLEEP 0.05 is in SLOWLOG`,
    )
    const latest = (await connection.call('LATENCY', 'LATEST')) as Reply[][]
    const worst = latest.find(([name]) => String(name) === 'command')?.[3]
    verdict.demand(Number(worst) >= 50, `${server.kind}: LATENCY LATEST has the event command`, String(worst))
    verdict.figure(`${server.kind}: worst command`, `${worst} ms`)
    connection.close()
  }
})

verdict.figure('exchanges compared in all', exchanges)
await Promise.all([casky.stop(), redis.stop()])
verdict.finish()

/** Asks both servers and gives what a normaliser makes of the answers. */
async function asker(protocol: 2 | 3): Promise<(normaliser: string, ...words: string[]) => Promise<[string, string]>> {
  const both = await Promise.all([casky.connect(), redis.connect()])
  if (protocol === 3) for (const each of both) await each.call('HELLO', 3)
  return async (normaliser, ...words) => {
    const [ours, theirs] = await Promise.all(
      both.map(async (each) => {
        each.send(`*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`)
        const { value, raw } = await each.reply()
        return normalisers[normaliser]!(value, raw)
      }),
    )
    return [ours!, theirs!]
  }
}

function firstDifference(a: readonly string[], b: readonly string[]): string {
  const at = a.findIndex((name, i) => name !== b[i])
  return `Redis ${a[at]}, Casky ${b[at]}`
}
