// prometheus-redis-exporter beside a server: the metrics are there, and they say what the server has really done.

import { setTimeout as pause } from 'node:timers/promises'
import { startChild } from '../harness/child.ts'
import { RawConnection } from '../harness/connection.ts'
import { freePort } from '../harness/server.ts'

/** '' or what went wrong. */
export async function tryExporter(port: number): Promise<string> {
  const client = await RawConnection.open({ port })
  const webPort = await freePort()
  const exporter = await startChild('prometheus-redis-exporter', [
    '-redis.addr',
    `redis://127.0.0.1:${port}`,
    '-web.listen-address',
    `127.0.0.1:${webPort}`,
    '-check-single-keys',
    'counted',
  ])
  try {
    await client.call('FLUSHALL')
    await client.call('CONFIG', 'RESETSTAT')
    for (let i = 0; i < 30; i++) await client.call('SET', `k${i}`, 'v')
    for (let i = 0; i < 10; i++) await client.call('SET', `t${i}`, 'v', 'EX', 1000)
    await client.call('SELECT', 2)
    await client.call('SET', 'k', 'v')
    await client.call('SELECT', 0)
    await client.call('SET', 'counted', 42)
    for (let i = 0; i < 7; i++) await client.call('GET', 'k1')
    for (let i = 0; i < 5; i++) await client.call('GET', 'missing')
    await client.call('INCR', 'k1')
    const metrics = await scraped(webPort)
    const wanted: ReadonlyArray<readonly [string, number | RegExp | ((value: number) => boolean)]> = [
      ['redis_up', 1],
      ['redis_exporter_last_scrape_error{err=""}', 0],
      ['redis_db_keys{db="db0"}', 41],
      ['redis_db_keys_expiring{db="db0"}', 10],
      ['redis_db_keys{db="db2"}', 1],
      ['redis_commands_total{cmd="get"}', 12],
      ['redis_commands_total{cmd="set"}', 42],
      ['redis_commands_failed_calls_total{cmd="incr"}', 1],
      ['redis_errors_total{err="ERR"}', (value) => value >= 1],
      ['redis_keyspace_hits_total', (value) => value >= 7],
      ['redis_keyspace_misses_total', (value) => value >= 5],
      ['redis_connected_clients', (value) => value >= 2],
      ['redis_commands_processed_total', (value) => value >= 60],
      ['redis_memory_used_bytes', (value) => value > 1_000_000],
      ['redis_uptime_in_seconds', (value) => value >= 0],
      ['redis_start_time_seconds', (value) => value > 1_500_000_000],
      ['redis_loading_dump_file', 0],
      ['redis_slowlog_length', (value) => value >= 0],
      ['redis_config_maxclients', (value) => value > 0],
      ['redis_key_value{db="db0",key="counted"}', 42],
      ['redis_key_size{db="db0",key="counted"}', 2],
    ]
    const wrong = wanted.flatMap(([name, value]) => {
      const got = metrics.get(name)
      const fits = got !== undefined && (typeof value === 'function' ? value(got) : got === value)
      return fits ? [] : [`${name} is ${got}, not ${String(value)}`]
    })
    if (![...metrics.keys()].some((name) => name.startsWith('redis_instance_info{')))
      wrong.push('no redis_instance_info')
    return wrong.join('\n')
  } finally {
    client.close()
    exporter.kill('SIGKILL')
    await exporter.exited
  }
}

/** All metrics of one scrape, by name with labels. Asks until the exporter listens. */
async function scraped(port: number): Promise<Map<string, number>> {
  const deadline = performance.now() + 20_000
  for (;;) {
    try {
      const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
      const lines = text.split('\n').filter((line) => line.startsWith('redis_'))
      return new Map(
        lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
      )
    } catch (error) {
      if (performance.now() > deadline) throw error
      await pause(20) // the interval of the retry
    }
  }
}
