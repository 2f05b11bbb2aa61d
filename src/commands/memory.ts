// MEMORY: what keys cost and where memory goes.
//
// A key costs memory for as long as it exists (its place in the keydir), its value only while it lies in the value cache. MEMORY USAGE
// counts both, because those who ask look for large keys. What cannot be measured here (another allocator's inner figures) is not in
// MEMORY STATS: a field that is there was measured.

import { Slice } from '../base/slice.ts'
import { NONE } from '../engine/engine.ts'
import type { Args } from '../resp/args.ts'
import { type Command, LOADING, READ, STALE } from './command.ts'
import { NOT_AN_INTEGER, SYNTAX_ERROR } from './errors.ts'
import { replyWithHelp } from './help.ts'
import { parseInteger } from './numbers.ts'
import { SECOND_KEY } from './object.ts'
import type { MemoryFacts, Session } from './session.ts'
import { subcommandsOf } from './subcommands.ts'
import { isWord } from './words.ts'

/** Of the keydir for each key, beside its bytes: an entry of 24, and what its slot in the index costs on average. */
const ENTRY_BYTES = 32
/** More of it for a key with a time to live. */
const EXPIRY_BYTES = 40

const MEBIBYTE = 1024 * 1024
const ALL_SHARDS = 'request_policy:all_shards'
const SPECIAL = ['nondeterministic_output', ALL_SHARDS, 'response_policy:special'] as const

const memorySubcommands = [
  {
    name: 'MEMORY|USAGE',
    arity: -3,
    flags: READ,
    keys: SECOND_KEY,
    run: usage,
    summary: 'Returns the bytes that a key and its value take in memory; SAMPLES has no meaning for strings.',
    since: '4.0.0',
    group: 'server',
    complexity: 'O(1)',
    difference: 'Counts the value as if it lay in the value cache.',
  },
  {
    name: 'MEMORY|STATS',
    arity: 2,
    flags: 0,
    keys: null,
    tips: SPECIAL,
    run: stats,
    summary: 'Returns where memory goes.',
    since: '4.0.0',
    group: 'server',
    complexity: 'O(N) for N clients and databases.',
    difference: "Only what can be measured here; casky.* are Casky's own.",
  },
  {
    name: 'MEMORY|PURGE',
    arity: 2,
    flags: 0,
    keys: null,
    tips: [ALL_SHARDS, 'response_policy:all_succeeded'],
    run: purge,
    summary: 'Gives back memory that is kept for later: idle reply buffers, and what a garbage collection frees.',
    since: '4.0.0',
    group: 'server',
    complexity: 'O(N) for N bytes of the JavaScript heap, which holds neither keys nor values.',
  },
  {
    name: 'MEMORY|DOCTOR',
    arity: 2,
    flags: 0,
    keys: null,
    tips: SPECIAL,
    run: doctor,
    summary: 'Looks for problems with memory and says what to do.',
    since: '4.0.0',
    group: 'server',
    complexity: 'O(N) for N clients.',
    difference: 'Looks for other problems, in other words.',
  },
  {
    name: 'MEMORY|MALLOC-STATS',
    arity: 2,
    flags: 0,
    keys: null,
    tips: SPECIAL,
    run: mallocStats,
    summary: "Returns figures of the JavaScript heap's spaces and of the memory beside it.",
    since: '4.0.0',
    group: 'server',
    complexity: 'O(1)',
    difference: 'Of the allocators there are here.',
  },
  {
    name: 'MEMORY|HELP',
    arity: 2,
    flags: LOADING | STALE,
    keys: null,
    run: (session) => replyWithHelp(session, 'MEMORY', MEMORY_HELP),
    summary: 'Explains the subcommands.',
    since: '4.0.0',
    group: 'server',
    complexity: 'O(1)',
  },
] as const satisfies readonly Command[]

const MEMORY_HELP = [
  'DOCTOR',
  '    Look for problems with memory.',
  'MALLOC-STATS',
  '    Figures of the allocators.',
  'PURGE',
  '    Give back memory that is kept for later.',
  'STATS',
  '    Where memory goes.',
  'USAGE <key> [SAMPLES <count>]',
  '    Bytes that <key> and its value take in memory.',
]

export const memoryCommands = [
  {
    name: 'MEMORY',
    arity: -2,
    flags: 0,
    keys: null,
    run: () => {},
    subcommands: subcommandsOf(memorySubcommands),
    summary: 'Tells about memory.',
    since: '4.0.0',
    group: 'server',
    complexity: 'Depends on the subcommand.',
  },
] as const satisfies readonly Command[]

const key = new Slice()

function usage(session: Session, args: Args): void {
  const { engine, reply, database } = session
  for (let i = 3; i < args.count; i += 2) {
    if (!isWord(args.at(i), 'SAMPLES') || i + 1 === args.count) return reply.error(SYNTAX_ERROR)
    const samples = parseInteger(args.at(i + 1))
    if (samples === null) return reply.error(NOT_AN_INTEGER)
    if (samples < 0) return reply.error(SYNTAX_ERROR)
  }
  const entry = engine.find(database, args.at(2))
  if (entry === NONE) return reply.null()
  const expiryBytes = engine.expiryOf(entry) === 0 ? 0 : EXPIRY_BYTES
  reply.integer(ENTRY_BYTES + engine.keyOf(entry, key).length + expiryBytes + engine.valueSize(entry))
}

function stats(session: Session): void {
  const { engine, reply, server } = session
  const facts = server.memory()
  const store = engine.stats()
  const databases: { number: number; keys: number; expiring: number }[] = []
  for (let number = 0; number < server.databases; number++) {
    const keys = engine.keyCount(number)
    if (keys > 0) databases.push({ number, keys, expiring: engine.expiringCount(number) })
  }
  const datasetBytes = store.keydirBytes + store.cache.bytes
  const fields: [string, number | { readonly percent: number } | [string, number][]][] = [
    ['peak.allocated', facts.peakBytes],
    ['total.allocated', facts.usedBytes],
    ['startup.allocated', facts.startupBytes],
    ['clients.normal', facts.clientBytes],
    ['aof.buffer', store.unreleasedBytes],
    ...databases.map(
      ({ number, keys, expiring }) =>
        [
          `db.${number}`,
          [
            ['overhead.hashtable.main', keys * ENTRY_BYTES],
            ['overhead.hashtable.expires', expiring * EXPIRY_BYTES],
          ],
        ] as [string, [string, number][]],
    ),
    ['overhead.total', Math.max(0, facts.usedBytes - datasetBytes)],
    ['keys.count', store.keys],
    ['keys.bytes-per-key', store.keys === 0 ? 0 : Math.round(store.keydirBytes / store.keys)],
    ['dataset.bytes', datasetBytes],
    ['dataset.percentage', { percent: (100 * datasetBytes) / Math.max(1, facts.usedBytes) }],
    ['peak.percentage', { percent: (100 * facts.usedBytes) / Math.max(1, facts.peakBytes) }],
    ['fragmentation', { percent: facts.rssBytes / Math.max(1, facts.usedBytes) }],
    ['fragmentation.bytes', facts.rssBytes - facts.usedBytes],
    ['casky.keydir.bytes', store.keydirBytes],
    ['casky.value-cache.bytes', store.cache.bytes],
    ['casky.heap.used', facts.heapUsedBytes],
    ['casky.heap.total', facts.heapTotalBytes],
    ['casky.reply-buffers.idle', facts.idleBufferBytes],
  ]
  reply.map(fields.length)
  for (const [name, value] of fields) {
    reply.bulkText(name)
    if (typeof value === 'number') reply.integer(value)
    else if ('percent' in value) reply.double(value.percent)
    else {
      reply.map(value.length)
      for (const [inner, number] of value) {
        reply.bulkText(inner)
        reply.integer(number)
      }
    }
  }
}

function purge(session: Session): void {
  session.server.purgeMemory()
  session.reply.ok()
}

function doctor(session: Session): void {
  const facts = session.server.memory()
  const findings = problems(session, facts)
  const report =
    findings.length === 0
      ? 'No problem found: what lies in memory is keys, cached values and little else.'
      : findings.map((finding) => ` * ${finding}`).join('\n')
  session.reply.verbatim('txt', report)
}

function problems(session: Session, facts: MemoryFacts): string[] {
  const store = session.engine.stats()
  const { cache } = store
  const found: string[] = []
  if (facts.peakBytes > 100 * MEBIBYTE && facts.peakBytes > 1.5 * facts.usedBytes) {
    found.push(
      `Peak: ${mebibytes(facts.peakBytes)} were in use once, ${mebibytes(facts.usedBytes)} are now. The process may keep ` +
        'some of the difference: size the machine or the container for the peak.',
    )
  }
  const clients = facts.clients
  if (clients > 0 && facts.clientBytes > MEBIBYTE && facts.clientBytes / clients > 200 * 1024) {
    found.push(
      `Clients: their buffers take ${mebibytes(facts.clientBytes)}. Some ask for more than they read, or send very long ` +
        'commands: look at omem and qbuf in CLIENT LIST, and set client-output-buffer-limit.',
    )
  }
  if (cache.capacity > 0 && cache.evictions > 0 && cache.misses > 10_000 && cache.misses > cache.hits) {
    found.push(
      `Value cache: of ${cache.hits + cache.misses} look-ups ${cache.misses} missed. If memory is left, a larger ` +
        'value-cache-size makes reads faster.',
    )
  }
  if (facts.systemBytes > 0 && store.keydirBytes > 0.6 * facts.systemBytes) {
    found.push(
      `Keys: they take ${mebibytes(store.keydirBytes)} of the ${mebibytes(facts.systemBytes)} there are, and all of them ` +
        'must fit. Shorten them, let them expire, or get more memory.',
    )
  }
  return found
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / MEBIBYTE)} MiB`
}

function mallocStats(session: Session): void {
  const facts = session.server.memory()
  const store = session.engine.stats()
  const rows: [string, number][] = [
    ['resident', facts.rssBytes],
    ['heap used', facts.heapUsedBytes],
    ['heap total', facts.heapTotalBytes],
    ['buffers beside the heap', facts.bufferBytes],
    ['keydir', store.keydirBytes],
    ['value cache', store.cache.bytes],
    ...facts.heapSpaces.map(({ name, usedBytes }): [string, number] => [`heap space ${name}`, usedBytes]),
  ]
  session.reply.verbatim('txt', rows.map(([name, bytes]) => `${name}: ${bytes}\n`).join(''))
}
