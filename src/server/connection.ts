// A client's commands and replies: the one loop that decides what happens next. Who the client is: client.ts.
//
// `run` owns all control flow: it takes commands from the decoder until there are no more, or until something blocks. Whatever
// happens elsewhere (bytes arrive, a value is read, the store goes on, a write comes through) only changes `blocked` and asks the
// tick for another turn; nobody else executes commands. So commands of one connection run in order, one at a time, always.
//
//   blocked by   PARKED    a command, or its next step, waits for the store, for values or for the end of a pause (parking.ts)
//                HELD      a handler waits for something outside (MERGE WAIT, SAVE)
//                STEPPING  a handler works in steps over many ticks (KEYS)
//                FULL      the client does not read its replies, or too many values are being read for it
//                CLOSING   nothing more is read; closes when the replies have left
//
// While it is blocked, what has been received is kept, and reading stops with the next packet: TCP then slows the client down.
//
// Bytes arrive in the buffer that all connections share (adopt.ts), so before `receive` returns, what is left of them is copied. When many
// sockets are ready at once and those before have used up the time (tick.ts), all of it is: `aside`, until this connection has its turn.

import type { Socket } from 'node:net'
import { assert } from '../base/assert.ts'
import type { Slice } from '../base/slice.ts'
import type { Command } from '../commands/command.ts'
import type { ReplySlot, Session } from '../commands/session.ts'
import { GATE_STALLED } from '../engine/engine.ts'
import type { Args } from '../resp/args.ts'
import type { ReplyWriter } from '../resp/reply.ts'
import { INVALID, MORE, RequestDecoder } from '../resp/request.ts'
import { type Adopted, unsentBytes } from './adopt.ts'
import { Client } from './client.ts'
import { clientLine } from './client-line.ts'
import { GATE_PAUSED_WRITES } from './gates.ts'
import type { Gathering } from './gather.ts'
import { HOLE_BYTES } from './holes.ts'
import { Output } from './output.ts'
import { isOverHardLimit, SoftLimit } from './output-limit.ts'
import { Bringing, type Parked } from './parking.ts'
import type { Peer } from './peer.ts'
import type { Server } from './server.ts'
import type { Row } from './statistics.ts'
import { LOOK_COST, type Ticking } from './tick.ts'

const PARKED = 1
const HELD = 2
const STEPPING = 4
const FULL = 8
const CLOSING = 16

/** Who asked for no more than this the last time, and asks in so few bytes, does not stand in line with those who did. */
const LIGHT_COST = 128
const LIGHT_BYTES = 16 * 1024
/** A reply that is longer, or a quarter of a limit, does not wait: who reads must not be taken for one who does not. */
const MOST_WAITING_BYTES = 4 * 1024 * 1024
/** Replies beyond this stay unsaid until the client has read some. */
const PAUSE_BYTES = 1024 * 1024
/** The same for who has not given the password: they have little to be told. */
const UNAUTHENTICATED_PAUSE_BYTES = 16 * 1024
/**
 * Clients without a limit are stopped by what they do not read, at PAUSE_BYTES; but what others do goes on, and a client may have asked to
 * be told of it (BCAST). From here on it is closed. (Redis: never.) Subscribers have a limit, unless somebody has taken it away.
 */
const MAX_UNASKED_BYTES = 64 * 1024 * 1024
/** What a client may send while it waits (WAIT, CLIENT PAUSE) before it is no longer read. */
const READ_WHILE_WAITING_BYTES = 16 * 1024
/** Values being read for one client at a time. */
const MAX_HOLES = 1024

export class Connection extends Client implements Session, Ticking, Gathering {
  readonly output: Output
  readonly reply: ReplyWriter
  readonly bringing: Bringing
  isClosed: boolean
  isDirty: boolean
  /** A request waits in server/gather.ts. */
  isGathered: boolean
  isQueued: boolean
  private readonly decoder: RequestDecoder
  private readonly socket: Socket
  private readonly softLimit: SoftLimit
  private pauseBytes: number
  private blocked: number
  private unsentBytes: number // when it was looked at last
  private isReadingStopped: boolean
  private hasInputEnded: boolean
  private hasInput: boolean // the decoder may hold whole commands
  private misses: boolean // its last commands wanted values that are not in memory
  private isLight: boolean // its last commands took little, all together
  private aside: Buffer | null // arrived when there was no time
  private isRunning: boolean
  private parked: Parked | null
  private step: (() => boolean) | null
  // The reply under way.
  private replyRow: Row | null
  /** Where it began, counted as in Output. */
  replyPosition: number
  private replyStamp: number
  private replyModeBefore: string
  /** Something waits to be said behind the reply under way. */
  hasMore: boolean
  private readonly more: { readonly message: Buffer; readonly stamp: number }[]
  /** Counts them, so that each is let go once, and no later one in its place. */
  private holds: number
  private unblocker: ((withError: boolean) => void) | null
  // What the steps of a command took so far, and its arguments for SLOWLOG.
  private steppedMs: number
  private steppedArgs: readonly Buffer[]

  constructor(server: Server, id: number, adopted: Adopted, peer: Peer, authenticated: boolean) {
    super(server, id, peer, authenticated)
    this.output = new Output(this, adopted, server.buffers)
    this.reply = this.output.writer
    this.bringing = new Bringing(server.engine)
    this.isClosed = false
    this.isDirty = false
    this.isGathered = false
    this.isQueued = false
    this.decoder = new RequestDecoder(server.decoderLimits, authenticated)
    this.socket = adopted.socket
    this.softLimit = new SoftLimit()
    this.pauseBytes = authenticated ? PAUSE_BYTES : UNAUTHENTICATED_PAUSE_BYTES
    this.blocked = 0
    this.unsentBytes = 0
    this.isReadingStopped = false
    this.hasInputEnded = false
    this.hasInput = false
    this.aside = null
    this.misses = false
    this.isLight = false
    this.isRunning = false
    this.parked = null
    this.step = null
    this.replyRow = null
    this.replyPosition = 0
    this.replyStamp = 0
    this.replyModeBefore = 'on'
    this.hasMore = false
    this.more = []
    this.holds = 0
    this.unblocker = null
    this.steppedMs = 0
    this.steppedArgs = []
  }

  // --- bytes

  /** bytes[0..length) have arrived; they are ours until this returns. False: stop reading. */
  receive(bytes: Buffer, length: number): boolean {
    if (this.isClosed || (this.blocked & CLOSING) !== 0) return false
    const { statistics } = this.server
    statistics.inputBytes += length
    statistics.reads++
    this.server.tick.begin()
    this.lastInteraction = this.engine.now
    const { gather } = this.server
    if (this.isGathered) gather.runOf(this)
    else if (this.blocked === 0 && !this.hasInput && gather.add(this, bytes, length)) return true
    return this.take(bytes, 0, length)
  }

  /** bytes[start, end) are to be run. False: stop reading. */
  take(bytes: Buffer, start: number, end: number): boolean {
    if (this.isClosed || (this.blocked & CLOSING) !== 0) return false
    const { tick } = this.server
    tick.spent((end - start) >> 7) // the cost of a copy, and of a buffer that grows
    if (this.aside !== null || (this.blocked === 0 && !this.isQueued && tick.isOverdue)) {
      this.setAside(bytes.subarray(start, end))
      return false
    }
    this.decoder.feed(bytes, start, end)
    this.hasInput = true
    if (this.blocked === 0 && !this.isQueued) this.run()
    if (this.isClosed) return false
    this.decoder.keep()
    // A full buffer means that more is waiting, and reading on now would take this turn's time from the others.
    if (this.blocked === 0 && !this.hasInput && end - start < bytes.length) return true
    // Who waits for time to pass may go away meanwhile, and only reading on tells.
    if (this.waitsForTime && this.decoder.waitingBytes < READ_WHILE_WAITING_BYTES) return true
    this.isReadingStopped = true
    if (this.blocked === 0) tick.again(this)
    return false
  }

  private setAside(bytes: Buffer): void {
    this.aside = this.aside === null ? Buffer.from(bytes) : Buffer.concat([this.aside, bytes])
    this.hasInput = true
    this.isReadingStopped = true
    this.server.tick.again(this, this.isLight && this.aside.length <= LIGHT_BYTES)
  }

  // `run`, of what lies here, whoever owns its bytes.
  private runOn(): void {
    const { aside } = this
    if (aside !== null) {
      this.aside = null
      this.decoder.feed(aside, 0, aside.length)
    }
    this.run()
    if (aside !== null && !this.isClosed) this.decoder.keep()
  }

  /** The client has said all it will say; its replies are still owed. But nobody waits on behalf of one that has gone. */
  endInput(): void {
    if (this.isGathered) this.server.gather.runOf(this)
    this.hasInputEnded = true
    if (this.waitsForTime) this.stopWaiting()
    if (this.blocked === 0 && !this.hasInput) this.closeWhenSaid()
  }

  private run(): void {
    if (this.isRunning) return
    this.isRunning = true
    this.engine.readsCount = !this.noTouch
    const { decoder, engine, misses, output } = this
    const { dispatch, tick } = this.server
    engine.missed = false
    let budget = LOOK_COST
    let ahead = 1
    const spentBefore = tick.spentInAll
    dispatch.beginBatch()
    while (this.blocked === 0) {
      if (budget <= 0) {
        tick.spent(LOOK_COST)
        if (tick.isLate) break
        budget = LOOK_COST
      }
      // What it would read next costs five times less in a turn that has time for it.
      if (engine.readsSpent && (misses || engine.missed)) break
      const state = decoder.next()
      if (state === MORE) {
        this.hasInput = false
        break
      }
      if (state === INVALID) {
        this.breakOff()
        break
      }
      if (--ahead === 0) ahead = this.lookAhead()
      const before = output.pendingBytes
      dispatch.execute(this, decoder.args)
      if (this.closeAfterReply) this.closeWhenSaid()
      const pending = output.pendingBytes
      budget -= decoder.args.count + ((pending - before) >> 10)
      if (pending > this.pauseBytes || output.openValues > MAX_HOLES) this.blocked |= FULL
    }
    dispatch.endBatch()
    tick.spent(LOOK_COST - budget)
    this.misses = engine.missed || (misses && engine.readsSpent)
    this.isLight = tick.spentInAll - spentBefore <= LIGHT_COST && (this.blocked & FULL) === 0
    this.isRunning = false
    tick.dirty(this)
    if (this.hasInput && this.blocked === 0) tick.again(this)
    else if (this.hasInputEnded && !this.hasInput && this.blocked === 0) this.closeWhenSaid()
  }

  // A pipeline: the keys of the commands that follow are warmed up together. Returns after how many commands to look again.
  private lookAhead(): number {
    const { upcoming } = this.server
    this.decoder.peekKeys(upcoming)
    if (upcoming.count > 1) this.engine.prefetch(this.database, upcoming)
    return upcoming.count + 1
  }

  /** The tick gives this connection time: goes on with whatever was interrupted. */
  turn(): void {
    if (this.isClosed) return
    if (this.hasInputEnded && this.waitsForTime) {
      this.stopWaiting()
      return
    }
    this.engine.readsCount = !this.noTouch
    if (this.step !== null && (this.blocked & PARKED) === 0) this.takeStep()
    if (this.replyRow !== null && (this.blocked & (HELD | STEPPING)) === 0) this.closeReply()
    const { parked } = this
    if (parked !== null && (this.blocked & PARKED) === 0) {
      this.parked = null
      this.server.dispatch.retry(this, parked.row, parked.args, parked.error)
      if (this.closeAfterReply) this.closeWhenSaid()
      this.server.tick.dirty(this)
    }
    if (this.blocked === 0 && this.hasInput) this.runOn()
    if (this.blocked === 0 && !this.hasInput) {
      if (this.hasInputEnded) this.closeWhenSaid()
      this.readOn()
    }
  }

  /** Sends what may leave, and draws the conclusions. */
  send(): void {
    if (this.isClosed) return
    const { output, server } = this
    if (this.nameBytes > server.decoderLimits.maxQueryBytes) {
      this.closeForQueryLimit(this.nameBytes)
      return
    }
    if (server.clientHeapBytes > server.maxClientHeapBytes) {
      server.closeLargest()
      if (this.isClosed) return
    }
    // Before anything leaves, as in Redis: what a client that reads would be sent in time is too much, too.
    const limit = this.outputLimit
    const said = Math.max(output.pendingBytes, output.overLimitBytes)
    if (output.overLimitBytes > 0 || isOverHardLimit(said, limit)) {
      this.closeForOutputLimit(said)
      return
    }
    const sent = output.sentBytes
    output.send(output.waitsForRelease ? this.engine.released : 0)
    if (output.sentBytes !== sent) {
      this.server.statistics.outputBytes += output.sentBytes - sent
      this.server.statistics.writes++
    }
    if ((this.blocked & CLOSING) !== 0 && output.idle && (this.blocked & ~(CLOSING | FULL)) === 0) {
      this.finish()
      return
    }
    const pending = output.pendingBytes
    if (this.softLimit.isOver(pending, limit, this.engine.now)) {
      this.closeForOutputLimit(pending)
      return
    }
    if ((this.blocked & FULL) !== 0) {
      // With a limit, a client that does not read fills up to it and is dropped; without one it has to wait here.
      const mayFill = (limit.hardBytes > 0 || limit.softBytes > 0) && !this.isStranger
      if ((pending > this.pauseBytes && !mayFill) || output.openValues > MAX_HOLES) return
      this.blocked &= ~FULL
      this.server.tick.again(this)
    }
  }

  onSendable(): void {
    this.lastInteraction = this.engine.now
    this.server.tick.dirty(this)
  }

  get pendingLimit(): number {
    return this.outputLimit.hardBytes
  }

  onHoles(change: number): void {
    this.holeBytes += change * HOLE_BYTES
  }

  // Not closed here: somebody is at work.
  onOverLimit(): void {
    this.blocked |= FULL
    this.server.tick.dirty(this)
  }

  /** Waits for something of ours, so it is not idle. */
  get isWaiting(): boolean {
    return (this.blocked & (PARKED | HELD | STEPPING)) !== 0
  }

  /** Takes no more commands. */
  get isClosing(): boolean {
    return (this.blocked & CLOSING) !== 0
  }

  /** What it sends is read. */
  get isRead(): boolean {
    return !this.isReadingStopped
  }

  /** Time has passed: who takes a long reply bit by bit is not idle. Unix time in ms. */
  noteProgress(now: number): void {
    const unsent = this.output.stuck ? unsentBytes(this.socket) : 0
    if (unsent !== this.unsentBytes) this.lastInteraction = now
    this.unsentBytes = unsent
  }

  /** Time has passed, and it may not have read for too long. Unix time in ms. */
  checkOutputLimit(now: number): void {
    const { pendingBytes } = this.output
    const limit = this.outputLimit
    if (isOverHardLimit(pendingBytes, limit) || this.softLimit.isOver(pendingBytes, limit, now)) {
      this.closeForOutputLimit(pendingBytes)
    }
  }

  get pendingBytes(): number {
    return this.output.pendingBytes
  }

  get mayWait(): boolean {
    const { hardBytes, softBytes } = this.outputLimit
    const nearest = Math.min(4 * MOST_WAITING_BYTES, hardBytes || Infinity, softBytes || Infinity)
    return !this.output.stuck && this.output.pendingBytes <= nearest / 4
  }

  get waitsForRelease(): boolean {
    return !this.isClosed && this.output.waitsForRelease
  }

  // --- what a handler may ask for

  slot(expectedBytes: number): ReplySlot {
    const row = this.replyRow
    const { server } = this
    if (server.clientHeapBytes > server.maxClientHeapBytes) server.closeLargest(this)
    return this.output.slot(expectedBytes, () => {
      if (row !== null) row.failed++
      this.server.statistics.error('ERR')
    })
  }

  mayReply(bytes: number): boolean {
    return this.output.hasRoomFor(bytes)
  }

  /** It has the most on the heap, and is at work: no more is said, and it is closed after that (`send`). */
  endHere(): void {
    this.output.endHere(this.output.pendingBytes)
  }

  stepwise(step: () => boolean): void {
    if (this.isExecuting) {
      while (!step()) {}
      return
    }
    assert(this.step === null, 'a handler is stepwise twice')
    this.blocked |= STEPPING
    this.step = step
    this.output.open()
    this.server.tick.again(this)
  }

  mayWriteNow(): boolean {
    if (this.isExecuting) return true // a transaction was judged as a whole
    const isStalled = (this.engine.gate & GATE_STALLED) !== 0
    if (!isStalled && (this.closedGates & GATE_PAUSED_WRITES) === 0) return true
    this.blocked |= PARKED
    if (isStalled) this.server.stalled.add(this)
    else this.waitForUnpause()
    return false
  }

  hold(unblock: ((withError: boolean) => void) | null = null): () => void {
    assert(!this.isExecuting, 'a command that holds its connection must be refused in MULTI')
    this.blocked |= HELD
    this.unblocker = unblock
    if (unblock !== null && this.hasInputEnded) this.server.tick.again(this)
    this.output.open()
    const turn = ++this.holds
    return () => {
      if (this.isClosed || turn !== this.holds) return
      this.unblocker = null
      this.blocked &= ~HELD
      this.server.tick.again(this)
    }
  }

  /** The handler has failed: nobody will let it go on, or take another step. */
  letGo(): void {
    this.holds++
    this.unblocker = null
    this.step = null
    this.blocked &= ~(HELD | STEPPING)
  }

  push(message: Buffer, stamp: number): void {
    this.pushNow(message, stamp, false)
  }

  /** The same, but always behind the reply under way. */
  pushBehind(message: Buffer, stamp: number): void {
    this.pushNow(message, stamp, true)
  }

  private pushNow(message: Buffer, stamp: number, isBehind: boolean): void {
    if (this.isClosed || (this.blocked & CLOSING) !== 0) return
    const { output, server } = this
    const isReplying = this.replyRow !== null
    if (isReplying && (isBehind || output.hasSaid(this.replyPosition))) {
      this.more.push({ message, stamp })
      this.hasMore = true
      output.counted(message.length)
      return
    }
    output.push(message, stamp > this.engine.released ? stamp : 0)
    server.tick.spent(1 + (message.length >> 10))
    server.tick.dirty(this)
    if (isReplying) {
      this.replyPosition = output.begin()
      if ((this.blocked & (HELD | STEPPING)) !== 0) output.open()
      return // send() looks at the limit: whoever is at work now must not be closed
    }
    const limit =
      this.outputLimit.hardBytes || (this.subscriptions === null ? MAX_UNASKED_BYTES : Number.POSITIVE_INFINITY)
    if (output.pendingBytes > limit) this.closeForOutputLimit(output.pendingBytes)
  }

  /** For dispatch: the reply is whole, now the rest. */
  sayMore(): void {
    this.hasMore = false
    for (const { message, stamp } of this.more) {
      this.output.counted(-message.length)
      this.output.push(message, stamp > this.engine.released ? stamp : 0)
    }
    this.more.length = 0
  }

  unblock(withError: boolean): boolean {
    const { unblocker } = this
    if (unblocker === null || this.isClosed) return false
    unblocker(withError)
    return true
  }

  call(command: Command, args: Args): void {
    this.server.dispatch.call(this, command, args)
  }

  discardTransaction(): void {
    this.transaction = null
    this.server.unwatch(this)
  }

  protected onStranger(isStranger: boolean): void {
    this.pauseBytes = isStranger ? UNAUTHENTICATED_PAUSE_BYTES : PAUSE_BYTES
    this.decoder.authenticated = !isStranger
  }

  // --- replies under way, for dispatch

  startReply(row: Row, position: number): void {
    this.lastCommand = row.command
    this.replyRow = row
    this.replyPosition = position
    this.replyModeBefore = this.replyMode
    this.replyStamp = 0
  }

  /** The handler has returned. True: its reply is whole. False: it has asked for more time, `closeReply` will finish it. */
  endReply(): boolean {
    if ((this.blocked & (HELD | STEPPING)) === 0) {
      this.replyRow = null
      this.output.close() // a hold that was let go at once has opened it
      return true
    }
    this.replyStamp = this.engine.dependsOn
    return false
  }

  private takeStep(): void {
    const { engine } = this
    engine.dependsOn = 0
    const startedMs = this.server.clock.monotonic()
    let isDone = true
    try {
      isDone = this.step!()
    } catch (error) {
      this.server.dispatch.failed(this, this.replyRow!, this.replyPosition, error)
    }
    if (engine.dependsOn > this.replyStamp) this.replyStamp = engine.dependsOn
    this.steppedMs += this.server.clock.monotonic() - startedMs
    if (!isDone) {
      if ((this.blocked & PARKED) === 0) this.server.tick.again(this)
      return
    }
    this.step = null
    this.blocked &= ~STEPPING
    this.server.dispatch.timedInSteps(this, this.replyRow!, this.steppedMs, this.steppedArgs)
  }

  /** A handler wants to work in steps. */
  get isStepping(): boolean {
    return (this.blocked & STEPPING) !== 0
  }

  /** What it took until now. */
  stepped(ms: number, args: readonly Buffer[]): void {
    this.steppedMs = ms
    this.steppedArgs = args
  }

  private closeReply(): void {
    const row = this.replyRow!
    this.replyRow = null
    this.output.close()
    this.server.dispatch.finish(this, row, this.replyPosition, this.replyStamp, this.replyModeBefore)
    if (this.closeAfterReply) this.closeWhenSaid()
    this.server.tick.dirty(this)
  }

  // --- parking

  get isParked(): boolean {
    return this.parked !== null
  }

  /** Runs this command again when everything brought for it has come. */
  park(row: Row, args: Args): void {
    this.lastCommand = row.command
    this.parked = { row, args: args.copy(), error: null } // may find no memory
    this.blocked |= PARKED
  }

  bring(database: number, key: Slice): void {
    this.bringing.bring(database, key, (error) => {
      if (this.parked !== null) this.parked.error = error
      this.unpark()
    })
  }

  parkUntilStoreGoesOn(row: Row, args: Args): void {
    this.park(row, args)
    this.server.stalled.add(this)
  }

  parkUntilUnpaused(row: Row, args: Args): void {
    this.park(row, args)
    this.waitForUnpause()
  }

  private waitForUnpause(): void {
    this.server.pause.add(this)
    if (this.hasInputEnded) this.server.tick.again(this)
    else if (this.decoder.waitingBytes < READ_WHILE_WAITING_BYTES) this.readOn()
  }

  /** By a handler (WAIT), or by CLIENT PAUSE. Not: by the store, which goes on as soon as it can. */
  private get waitsForTime(): boolean {
    return this.unblocker !== null || this.server.pause.has(this)
  }

  /** The client has gone. What the pause kept from running never runs, as in Redis; what was said before may still leave. */
  private stopWaiting(): void {
    if (this.unblocker !== null || this.step !== null) {
      this.close()
      return
    }
    this.server.pause.forget(this)
    this.parked = null
    this.blocked &= ~PARKED
    this.closeWhenSaid()
  }

  unpark(): void {
    if (this.isClosed) return
    this.blocked &= ~PARKED
    this.server.tick.again(this, this.isLight)
  }

  // --- ends

  /** The client broke the protocol: what Redis says, then the end. */
  private breakOff(): void {
    const { decoder, server } = this
    if (decoder.overflow) {
      this.closeForQueryLimit(decoder.heldBytes)
      return
    }
    this.output.begin()
    this.reply.error(decoder.error)
    server.statistics.error('ERR')
    server.logger.verbose(`Protocol error (${decoder.error}) from client: ${this.describe()}`)
    this.closeWhenSaid()
  }

  closeForQueryLimit(bytes: number): void {
    this.server.statistics.queryLimitDisconnections++
    this.server.logger.warning(
      `Closing client that reached max query buffer length: ${this.describe()} (${bytes} bytes)`,
    )
    this.close()
  }

  closeForMemory(): void {
    this.server.statistics.evictedClients++
    this.server.logger.warning(
      `Evicting client: ${this.describe()} (${this.heapBytes} bytes of names, queued commands and values being read, the most of all clients)`,
    )
    this.close()
  }

  closeForOutputLimit(bytes: number): void {
    this.server.statistics.outputLimitDisconnections++
    this.server.logger.warning(
      `Client ${this.describe()} scheduled to be closed ASAP for overcoming of output buffer limits (${bytes} bytes).`,
    )
    this.close()
  }

  closeForCrossProtocol(): void {
    this.server.logger.warning(
      'Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: commands to Casky. This is likely due ' +
        `to an attacker attempting to use Cross Protocol Scripting. Connection from ${this.peer.address} aborted.`,
    )
    this.close()
  }

  /** Takes no more commands and closes when everything said has left. */
  closeWhenSaid(): void {
    if (this.isClosed) return
    this.blocked |= CLOSING
    this.hasInput = false
    this.server.tick.dirty(this)
  }

  private finish(): void {
    this.leave()
    this.socket.destroySoon()
  }

  /** Closes now; what has not been sent is lost. */
  close(): void {
    if (this.isClosed) return
    this.leave()
    this.socket.destroy()
  }

  /** Closes now, but what has waited for its turn (tick.ts) is offered to the kernel, which would have had it long ago. */
  kill(): void {
    if (this.isDirty) this.output.send(this.engine.released)
    this.close()
  }

  /** Everything but the socket. */
  private leave(): void {
    this.isClosed = true
    this.blocked |= CLOSING
    this.unblocker?.(false) // whoever waits for time to pass need not go on
    this.output.discard()
    this.bringing.close()
    this.step = null
    this.parked = null
    this.aside = null
    this.server.left(this)
  }

  stopReading(): void {
    this.socket.pause()
  }

  private readOn(): void {
    if (!this.isReadingStopped) return
    this.isReadingStopped = false
    this.socket.resume()
  }

  // --- what it costs

  /** Bytes received that are not whole commands yet. */
  get inputBytes(): number {
    return this.decoder.waitingBytes + (this.aside?.length ?? 0)
  }

  /** Of the command that waits. */
  get parkedBytes(): number {
    return this.parked?.args.byteLength ?? 0
  }

  /** Bytes of memory this client costs beyond its object. */
  get heldBytes(): number {
    return this.decoder.heldBytes + (this.aside?.length ?? 0) + this.output.heldBytes + this.heapBytes
  }

  describe(): string {
    return clientLine(this, this.server.clock.now())
  }
}
