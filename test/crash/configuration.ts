// How the server is set up from one kill to the next: at random, around what makes rotation, hints and merges run all the
// time. Everything here may change between two starts over the same directory, so everything does.

import type { Random } from '../harness/random.ts'

export interface Configuration {
  readonly args: readonly string[]
  readonly poolThreads: number
}

/** Tiny segments and restless merges: what a run uses that asks for nothing else. */
export const restless: readonly string[] = [
  ...['--segment-size', '256kb', '--merge-interval-ms', '50'],
  ...['--merge-trigger-fragmentation', '10', '--merge-trigger-segments', '0', '--merge-trigger-dead-bytes', '64kb'],
  ...['--merge-threshold-fragmentation', '5', '--merge-threshold-dead-bytes', '16kb'],
  ...['--merge-threshold-small-file', '64kb', '--value-cache-size', '256kb'],
]

/** Another one at each call. `databases`: how many are needed. */
export function randomConfiguration(random: Random, databases: number): Configuration {
  const one = (name: string, ...values: string[]): string[] => [`--${name}`, random.pick(values)]
  const args = [
    ...one('appendfsync', 'always', 'everysec', 'no'),
    ...one('segment-size', '400', '4kb', '32kb', '64kb', '256kb', '256kb', '1mb', '128mb'),
    ...one('segment-age', '0', '0', '0', '1'),
    ...one('value-cache-size', '0', '0', '256kb', '4mb', '128mb'),
    ...one('disk-reserve', '0', '0', '1mb'),
    ...one('databases', String(databases), '16', '64', '1000'),
    ...one('hz', '1', '10', '100', '500'),
    ...one('merge-enabled', 'yes', 'yes', 'yes', 'yes', 'no'),
    ...one('merge-interval-ms', '1', '10', '50', '200'),
    ...one('merge-rate', '0', '0', '0', '1mb', '100kb'),
    ...one('merge-trigger-fragmentation', '1', '10', '60'),
    ...one('merge-trigger-segments', '0', '0', '1', '3'),
    ...one('merge-trigger-dead-bytes', '1', '16kb', '512mb'),
    ...one('merge-threshold-fragmentation', '1', '5', '40'),
    ...one('merge-threshold-dead-bytes', '1', '16kb', '128mb'),
    ...one('merge-threshold-small-file', '0', '16kb', '10mb'),
    ...one('notify-keyspace-events', '', '', 'AKE'),
    ...one('latency-tracking', 'yes', 'no'),
  ]
  return { args, poolThreads: random.pick([1, 2, 4, 8, 8]) }
}
