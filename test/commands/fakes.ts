// An engine and a session in memory, for tests of what commands mean: a Map for each database, nothing on a disk. Whether the
// real engine and server keep the same promises is the conformance suite's question.
//
// Entries are positions in one list, as in the real keydir, so that SCAN has something to walk over. With `cold` set, values are
// not in memory: `valueOf` says no and `load` answers when the test calls `warm()`.

import { assert } from '../../src/base/assert.ts'
import { Slice, sliceOf } from '../../src/base/slice.ts'
import { bitfieldCommands } from '../../src/commands/bitfield.ts'
import { bitmapCommands } from '../../src/commands/bitmaps.ts'
import type { Command } from '../../src/commands/command.ts'
import { CommandTable } from '../../src/commands/command-table.ts'
import { counterCommands } from '../../src/commands/counters.ts'
import { wrongArity } from '../../src/commands/errors.ts'
import { expiryCommands } from '../../src/commands/expiry.ts'
import { hyperloglogCommands } from '../../src/commands/hyperloglog.ts'
import { introspectionCommands } from '../../src/commands/introspection.ts'
import { keyCommands } from '../../src/commands/keys.ts'
import { lcsCommands } from '../../src/commands/lcs.ts'
import { mergeCommands } from '../../src/commands/merge.ts'
import { scrubCommands } from '../../src/commands/scrub.ts'
import { serverAdminCommands } from '../../src/commands/server-admin.ts'
import type { ReplySlot, ServerPort, Session } from '../../src/commands/session.ts'
import { stringCommands } from '../../src/commands/strings.ts'
import { type Engine, type MergeControl, NONE, type PendingRead, type ScrubControl } from '../../src/engine/engine.ts'
import { ReplyWriter } from '../../src/resp/reply.ts'
import { argsOf } from '../harness/args.ts'

export const ownCommands = new CommandTable([
  stringCommands,
  counterCommands,
  lcsCommands,
  bitmapCommands,
  bitfieldCommands,
  hyperloglogCommands,
  keyCommands,
  expiryCommands,
  serverAdminCommands,
  mergeCommands,
  scrubCommands,
  introspectionCommands,
])

interface Item {
  database: number
  key: string
  value: Buffer
  expiry: number
}

export class FakeEngine {
  now = 1_700_000_000_000
  batchBytes = 0
  gate = 0
  cold = false
  /** Depth of begin(), and how many writes were made outside and inside. */
  depth = 0
  readonly writes: { op: string; key: string; batched: boolean }[] = []
  sealError: Error | null = null
  merge: MergeControl
  scrub: ScrubControl
  private items: (Item | null)[] = []
  private logical = Array.from({ length: 16 }, (_, i) => i)
  private readonly waiting: (() => void)[] = []

  constructor(merge: Partial<MergeControl> = {}, scrub: Partial<ScrubControl> = {}) {
    this.merge = merge as MergeControl
    this.scrub = scrub as ScrubControl
  }

  /** Database 0 gets so many keys, `key:0` and on, without a look-up for each. */
  fill(count: number): void {
    for (let i = 0; i < count; i++)
      this.items.push({ database: 0, key: `key:${i}`, value: Buffer.from('v'), expiry: 0 })
  }

  physical(database: number): number {
    return this.logical[database]!
  }

  find(database: number, key: Slice): number {
    const name = key.key()
    const physical = this.physical(database)
    const entry = this.items.findIndex((item) => item !== null && item.database === physical && item.key === name)
    if (entry < 0) return NONE
    if (!this.expired(this.item(entry))) return entry
    this.items[entry] = null
    return NONE
  }

  prefetch(): void {}

  typeOf(_entry: number): number {
    return 0
  }
  valueSize(entry: number): number {
    return this.item(entry).value.length
  }
  expiryOf(entry: number): number {
    return this.item(entry).expiry
  }
  keyOf(entry: number, into: Slice): Slice {
    const key = Buffer.from(this.item(entry).key, 'latin1')
    return into.set(key, 0, key.length)
  }

  valueOf(entry: number, into: Slice): boolean {
    if (this.cold) return false
    const { value } = this.item(entry)
    into.set(value, 0, value.length)
    return true
  }

  keepValueOf(entry: number, into: Slice): boolean {
    return this.valueOf(entry, into)
  }

  load(entry: number, done: (error: Error | null, value: Slice | null) => void): PendingRead {
    const value = Buffer.from(this.item(entry).value)
    this.waiting.push(() => done(null, new Slice(value)))
    return { cancel: () => {} }
  }

  /** Answers every load so far. */
  warm(): void {
    for (const answer of this.waiting.splice(0)) answer()
  }

  put(database: number, key: Slice, value: Slice, expiry: number): void {
    const item = { database: this.physical(database), key: key.key(), value: value.copy(), expiry }
    const entry = this.items.findIndex(
      (each) => each !== null && each.database === item.database && each.key === item.key,
    )
    if (entry < 0) this.items.push(item)
    else this.items[entry] = item
    this.wrote('put', item.key)
  }

  overwrite(entry: number, value: Slice, expiry: number): void {
    const item = this.item(entry)
    this.items[entry] = { ...item, value: value.copy(), expiry }
    this.wrote('overwrite', item.key)
  }

  remove(entry: number): void {
    const { key } = this.item(entry)
    this.items[entry] = null
    this.wrote('remove', key)
  }

  setExpiry(entry: number, expiry: number): void {
    const item = this.item(entry)
    item.expiry = expiry
    this.wrote('touch', item.key)
  }

  begin(): void {
    this.depth++
  }
  end(): void {
    this.depth--
    assert(this.depth >= 0, 'end without begin')
  }

  keyCount(database: number): number {
    return this.items.filter((item) => item !== null && item.database === this.physical(database)).length
  }

  flushDatabase(database: number): void {
    this.items = this.items.map((item) => (item?.database === this.physical(database) ? null : item))
  }
  flushAll(): void {
    this.items = []
  }
  swapDatabases(a: number, b: number): void {
    const was = this.logical[a]!
    this.logical[a] = this.logical[b]!
    this.logical[b] = was
  }

  scan(database: number, cursor: number, budget: number, visit: (entry: number) => void): number {
    let entry = cursor
    for (let looks = 0; looks < budget && entry < this.items.length; looks++, entry++) {
      const item = this.items[entry]!
      if (item !== null && item.database === this.physical(database) && !this.expired(item)) visit(entry)
    }
    return entry < this.items.length ? entry : 0
  }

  randomEntry(database: number): number {
    return this.items.findIndex((item) => item !== null && item.database === this.physical(database))
  }

  seal(done: (error: Error | null) => void): void {
    done(this.sealError)
  }

  stats(): { lastSeal: number } {
    return { lastSeal: 1_600_000_000_999 }
  }

  private wrote(op: string, key: string): void {
    this.writes.push({ op, key, batched: this.depth > 0 })
  }
  private item(entry: number): Item {
    return this.items[entry]!
  }
  private expired(item: Item): boolean {
    return item.expiry !== 0 && item.expiry < this.now
  }
}

/** One client of a fake engine. `run` gives a command and returns the reply as latin1 text. */
export class FakeClient {
  readonly engine: FakeEngine
  readonly session: Session
  /** Physical databases whose watchers were told. */
  readonly touched: number[] = []
  readonly shutdowns: object[] = []
  /** How often clients with caches were told that everything is gone. */
  flushes = 0
  held = 0
  steps = 0
  private readonly slots: { at: number; bytes: Buffer | null }[] = []

  constructor(engine = new FakeEngine(), server: Partial<ServerPort> = {}) {
    this.engine = engine
    const port: Partial<ServerPort> = {
      databases: 16,
      maxBulkBytes: 512 * 1024 * 1024,
      hllSparseMaxBytes: 3000,
      compressesPayloads: true,
      commands: ownCommands.byName,
      tracking: { enable() {}, disable() {}, flushed: () => void this.flushes++ },
      touchDatabase: (database) => this.touched.push(database),
      shutdown: (options) => {
        this.shutdowns.push(options)
        return null
      },
      abortShutdown: () => false,
      lookups: { hits: 0, misses: 0 },
      save: (done) => engine.seal(done),
      ...server,
    }
    const reply = new ReplyWriter(2)
    const client = this
    this.session = {
      id: 1,
      engine: engine as unknown as Engine,
      server: port as ServerPort,
      reply,
      database: 0,
      get now() {
        return engine.now
      },
      slot: () => client.slot(),
      mayReply: () => true,
      mayWriteNow: () => true,
      stepwise(step: () => boolean) {
        do client.steps++
        while (!step())
      },
      hold() {
        client.held++
        return () => client.held--
      },
    } as unknown as Session
  }

  run(...words: (string | Buffer)[]): string {
    const args = argsOf(...words)
    const { reply } = this.session
    let command: Command | undefined = ownCommands.lookup(args.at(0))
    assert(command !== undefined, `no such command: ${words[0]}`)
    if (command.subcommands !== undefined && args.count > 1) {
      command = command.subcommands.get(args.at(1).key().toUpperCase())
      if (command === undefined) return `-ERR unknown subcommand '${words[1]}'. Try ${String(words[0])} HELP.\r\n`
    }
    reply.length = 0
    this.slots.length = 0
    if (command.arity > 0 ? args.count !== command.arity : args.count < -command.arity) {
      reply.error(wrongArity(command.name))
    } else {
      command.run(this.session, args)
    }
    return this.text()
  }

  /** The reply so far; slots that were not filled show as '<later>'. */
  text(): string {
    const { reply } = this.session
    let text = ''
    let from = 0
    for (const { at, bytes } of this.slots) {
      text += reply.bytes.toString('latin1', from, at) + (bytes?.toString('latin1') ?? '<later>')
      from = at
    }
    return text + reply.bytes.toString('latin1', from, reply.length)
  }

  private slot(): ReplySlot {
    const hole = { at: this.session.reply.length, bytes: null as Buffer | null }
    this.slots.push(hole)
    return {
      fillBulk(value) {
        assert(hole.bytes === null, 'a slot is filled once')
        hole.bytes = Buffer.concat([sliceOf(`$${value.length}\r\n`).bytes, value.copy(), sliceOf('\r\n').bytes])
      },
      fillError(text) {
        hole.bytes = Buffer.from(`-${text}\r\n`, 'latin1')
      },
      waitsFor() {},
    }
  }
}
