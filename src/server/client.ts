// A client as the others see it: who it is, what it has said about itself, and the gates (gates.ts) that this closes for its commands.
// How its bytes become commands, and these replies, is connection.ts.

import type { Command } from '../commands/command.ts'
import type { Session, Subscriptions, Tracking, Transaction, WatchedKey } from '../commands/session.ts'
import type { Engine } from '../engine/engine.ts'
import type { ReplyWriter } from '../resp/reply.ts'
import {
  GATE_MONITOR,
  GATE_MULTI,
  GATE_PAUSED,
  GATE_PAUSED_WRITES,
  GATE_PREPARE,
  GATE_PROTECTED,
  GATE_SUBSCRIBED,
  GATE_TRACKING,
  GATE_UNAUTHENTICATED,
} from './gates.ts'
import type { OutputLimit } from './output-limit.ts'
import type { Peer } from './peer.ts'
import type { Server } from './server.ts'

export abstract class Client {
  readonly id: number
  readonly engine: Engine
  readonly server: Server
  readonly peer: Peer
  abstract readonly reply: ReplyWriter
  readonly connectedAt: number // ms
  database: number
  noEvict: boolean
  replyMode: Session['replyMode']
  watched: WatchedKey[]
  watchBroken: boolean
  closeAfterReply: boolean
  /** EXEC is running: its commands run in one go. */
  isExecuting: boolean
  closedGates: number
  lastInteraction: number // ms
  strangerSince: number // ms; RESET asks for the password again
  /** What CLIENT LIST shows as cmd, also when it was refused, queued or parked; null: there is no such command. */
  lastCommand: Command | null
  private keptNameBytes: number
  private keptHoleBytes: number // what its open holes cost (holes.ts)
  private ownName: string
  private ownLibName: string
  private ownLibVersion: string
  private isAuthenticated: boolean
  private currentTransaction: Transaction | null
  private subscribed: Subscriptions | null
  private tracked: Tracking | null
  private isNotTouching: boolean

  constructor(server: Server, id: number, peer: Peer, authenticated: boolean) {
    const now = server.clock.now()
    this.id = id
    this.engine = server.engine
    this.server = server
    this.peer = peer
    this.connectedAt = now
    this.database = 0
    this.noEvict = false
    this.replyMode = 'on'
    this.watched = []
    this.watchBroken = false
    this.closeAfterReply = false
    this.isExecuting = false
    this.closedGates = GATE_PREPARE | GATE_PROTECTED | (authenticated ? 0 : GATE_UNAUTHENTICATED)
    this.lastInteraction = now
    this.strangerSince = now
    this.lastCommand = null
    this.keptNameBytes = 0
    this.keptHoleBytes = 0
    this.ownName = ''
    this.ownLibName = ''
    this.ownLibVersion = ''
    this.isAuthenticated = authenticated
    this.currentTransaction = null
    this.subscribed = null
    this.tracked = null
    this.isNotTouching = false
  }

  /** Its time, as the engine counts it. */
  get now(): number {
    return this.engine.now
  }

  get nameBytes(): number {
    return this.keptNameBytes
  }

  set nameBytes(value: number) {
    this.server.clientHeapBytes += value - this.keptNameBytes
    this.keptNameBytes = value
  }

  /** What it has put on V8's heap: names, queued commands, and values that are being read for it. */
  get heapBytes(): number {
    return this.keptNameBytes + this.keptHoleBytes + (this.currentTransaction?.bytes ?? 0)
  }

  get holeBytes(): number {
    return this.keptHoleBytes
  }

  set holeBytes(value: number) {
    this.server.clientHeapBytes += value - this.keptHoleBytes
    this.keptHoleBytes = value
  }

  /** A command of so many bytes is going to be queued. */
  countQueued(bytes: number): void {
    this.currentTransaction!.bytes += bytes
    this.server.clientHeapBytes += bytes
  }

  // Names may be as long as arguments, so they count as those that it has the server watch.

  get name(): string {
    return this.ownName
  }

  set name(value: string) {
    this.nameBytes += value.length - this.ownName.length
    this.ownName = value
  }

  get libName(): string {
    return this.ownLibName
  }

  set libName(value: string) {
    this.nameBytes += value.length - this.ownLibName.length
    this.ownLibName = value
  }

  get libVersion(): string {
    return this.ownLibVersion
  }

  set libVersion(value: string) {
    this.nameBytes += value.length - this.ownLibVersion.length
    this.ownLibVersion = value
  }

  get authenticated(): boolean {
    return this.isAuthenticated
  }

  set authenticated(value: boolean) {
    this.isAuthenticated = value
    this.passwordChanged()
  }

  /** There is another password, or none: then who has not given one may come in too, as in Redis. */
  passwordChanged(): void {
    const wasStranger = this.isStranger
    const isStranger = !this.isAuthenticated && this.server.passwordRequired
    if (isStranger === wasStranger) return
    if (isStranger) this.strangerSince = this.server.clock.now()
    this.gate(GATE_UNAUTHENTICATED, isStranger)
    this.onStranger(isStranger)
  }

  /** A password is asked for, and it has not given it. */
  get isStranger(): boolean {
    return (this.closedGates & GATE_UNAUTHENTICATED) !== 0
  }

  get protocol(): 2 | 3 {
    return this.reply.protocol
  }

  set protocol(value: 2 | 3) {
    this.reply.protocol = value
    this.gate(GATE_SUBSCRIBED, value === 2 && this.subscribed !== null)
  }

  get transaction(): Transaction | null {
    return this.currentTransaction
  }

  set transaction(value: Transaction | null) {
    this.server.clientHeapBytes += (value?.bytes ?? 0) - (this.currentTransaction?.bytes ?? 0)
    this.currentTransaction = value
    this.gate(GATE_MULTI, value !== null)
  }

  get subscriptions(): Subscriptions | null {
    return this.subscribed
  }

  set subscriptions(value: Subscriptions | null) {
    this.subscribed = value
    this.gate(GATE_SUBSCRIBED, value !== null && this.protocol === 2)
  }

  get tracking(): Tracking | null {
    return this.tracked
  }

  set tracking(value: Tracking | null) {
    this.tracked = value
    this.gate(GATE_TRACKING, value !== null)
  }

  get isMonitor(): boolean {
    return (this.closedGates & GATE_MONITOR) !== 0
  }

  set isMonitor(value: boolean) {
    this.gate(GATE_MONITOR, value)
    this.closePauseGates(this.server.pause.gates)
  }

  /** Not for who monitors: to Redis that is a kind of replica, and those are not paused. */
  closePauseGates(gates: number): void {
    this.closedGates = (this.closedGates & ~(GATE_PAUSED | GATE_PAUSED_WRITES)) | (this.isMonitor ? 0 : gates)
  }

  /** CLIENT NO-TOUCH: what this client reads is not counted as accessed. */
  get noTouch(): boolean {
    return this.isNotTouching
  }

  set noTouch(value: boolean) {
    this.isNotTouching = value
    this.engine.readsCount = !value
  }

  /** What of its replies it may leave unread. */
  get outputLimit(): OutputLimit {
    return this.subscribed === null ? this.server.outputLimit : this.server.subscribersOutputLimit
  }

  /** enable-debug-command, enable-module-command: whether this client may run what they protect. */
  isAllowed(directive: 'enable-debug-command' | 'enable-module-command'): boolean {
    const who = this.server.config.get(directive)
    return who === 'yes' || (who === 'local' && this.peer.isLocal)
  }

  /** It has become one, or is none any more. */
  protected abstract onStranger(isStranger: boolean): void

  private gate(bit: number, isClosed: boolean): void {
    this.closedGates = isClosed ? this.closedGates | bit : this.closedGates & ~bit
  }
}
