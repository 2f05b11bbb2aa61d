// What a connection has to say, from the handler's pen to the socket.
//
//   writer.bytes   |+OK..|$5..hello..|*2..[hole].[hole]|+OK..|            one growing buffer
//   marks                 ^--stamp 17--^                ^--stamp 19--^      replies that wait for the store
//   holes                                 ^      ^                        places for values that are still being read
//
// Replies leave in order, in one write a tick, up to whichever comes first: the first reply whose stamp is above the released
// sequence, the first hole that is not filled yet, a reply that is still being written step by step. So whatever waits holds
// back what was said after it, and nothing else. Only replies whose stamp was above `released` when they were written are marked.
//
// When the store fails, every marked reply from the first failed sequence on is cut out and one error put in its place (a message that
// nobody asked for is only cut out). What is
// not marked depended on nothing that failed and stays. A marked reply never leaves in part, or the error could not replace it.
//
// The client's output limit is looked at while a reply is being written, too, or one MGET could ask for all memory there is. Beyond the
// limit the connection is going to be closed at the end of the tick: the rest of the reply is written over its beginning.
//
// One write is under way at a time. Usually the kernel takes all of it at once (`writableLength` is 0 afterwards) and the
// buffer is used again; otherwise the buffer belongs to the socket now, replies go into another one, and the next write starts
// when this one is through. Small fills of holes are copied into the write, large ones go as pieces of their own.

import type { Socket } from 'node:net'
import { Slice } from '../base/slice.ts'
import type { ReplySlot } from '../commands/session.ts'
import { type ReplyOwner, ReplyWriter } from '../resp/reply.ts'
import { type Adopted, offer } from './adopt.ts'
import type { BufferPool } from './buffer-pool.ts'
import { Hole, type HoleOwner, HoleQueue } from './holes.ts'

/** A fill from this size on is written from where it lies, without a copy. */
const OWN_PIECE_BYTES = 32 * 1024
/** The short way (adopt.ts) is for what leaves at once: to a client that reads as fast, one call would go on until all has left. */
const OFFERED_BYTES = 256 * 1024
/** Room for marks that a connection keeps. */
const KEPT_MARKS = 1024

const MINUS = 45
const SPACE = 32

const NOTHING = Buffer.alloc(0)
const CRLF = Buffer.from('\r\n')

export interface OutputOwner {
  /** A hole was filled or a write came through: there may be something to send. */
  onSendable(): void
  /** More may not be said and not yet taken, in bytes; 0: no limit. */
  readonly pendingLimit: number
  /** It was going to be: said once, from within whatever is saying it. */
  onOverLimit(): void
  /** So many holes more or less are open. */
  onHoles(change: number): void
}

export class Output implements ReplyOwner, HoleOwner {
  readonly writer: ReplyWriter
  /** Bytes handed to the socket since the connection was made. */
  sentBytes: number
  private readonly owner: OutputOwner
  private readonly adopted: Adopted
  private readonly socket: Socket
  private readonly pool: BufferPool
  private reply: number // counts replies, so that marks and holes know whose they are
  // Marks, in order, `marks` of them: reply `replies[i]` is writer.bytes[starts[i]..ends[i]) and waits for `stamps[i]`. The arrays
  // are not cut when marks go: with a pipeline of SETs they fill anew each tick.
  private marks: number
  private readonly replies: number[]
  private readonly starts: number[]
  private readonly ends: number[]
  private readonly stamps: number[]
  private newestStamp: number
  /** Which of the marked `replies` are none: nobody waits for an error in their place. Rising. */
  private readonly pushes: Set<number>
  private readonly holes: HoleQueue
  private messages: number // of the holes, those that hold one
  private filledBytes: number // in holes, or expected there; not sent yet
  private openFrom: number // the last reply is being written step by step from here on; -1 when it is whole
  private gone: number // bytes of the writer that were sent: makes positions absolute
  private inFlight: number
  private lent: Buffer // to the socket, until it has left
  private discarded: boolean
  private began: number // position of the reply that began last
  /** What would have been pending when the limit was passed; 0: it was not. */
  overLimitBytes: number

  constructor(owner: OutputOwner, adopted: Adopted, pool: BufferPool) {
    this.writer = new ReplyWriter(2, NOTHING, this)
    this.sentBytes = 0
    this.owner = owner
    this.adopted = adopted
    this.socket = adopted.socket
    this.pool = pool
    this.reply = 0
    this.marks = 0
    this.replies = []
    this.starts = []
    this.ends = []
    this.stamps = []
    this.newestStamp = 0
    this.pushes = new Set()
    this.holes = new HoleQueue()
    this.messages = 0
    this.filledBytes = 0
    this.openFrom = -1
    this.gone = 0
    this.inFlight = 0
    this.lent = NOTHING
    this.discarded = false
    this.began = 0
    this.overLimitBytes = 0
  }

  /** Bytes said and not yet taken by the kernel. */
  get pendingBytes(): number {
    return this.writer.length + this.filledBytes + this.inFlight
  }

  /** Memory held, in bytes. */
  get heldBytes(): number {
    return this.writer.bytes.length + this.filledBytes + this.inFlight
  }

  get openHoles(): number {
    return this.holes.length
  }

  /** Values that are being read, or stand behind one that is. */
  get openValues(): number {
    return this.holes.length - this.messages
  }

  /** Replies wait for the store to release them. */
  get waitsForRelease(): boolean {
    return this.marks > 0
  }

  /** A write is under way that the kernel has not taken yet: the client reads slowly or not at all. */
  get stuck(): boolean {
    return this.inFlight > 0
  }

  /** Everything said has been taken by the kernel. */
  get idle(): boolean {
    return this.writer.length === 0 && this.holes.length === 0 && this.inFlight === 0
  }

  /** What is said next stands here, counted since the connection was made. */
  get position(): number {
    return this.gone + this.writer.length
  }

  /** A reply begins. Returns its position, counted since the connection was made: it survives that earlier replies leave. */
  begin(): number {
    this.reply++
    if (this.writer.bytes.length === 0) this.writer.bytes = this.pool.take()
    this.began = this.gone + this.writer.length
    return this.began
  }

  /** Whether the reply that began at `position` has said anything. */
  hasSaid(position: number): boolean {
    if (this.gone + this.writer.length > position) return true
    return this.holes.last?.reply === this.reply
  }

  /** Whether the reply that began at `position` is an error. */
  isError(position: number): boolean {
    const start = position - this.gone
    return start < this.writer.length && this.writer.bytes[start] === MINUS
  }

  /** The code of the error that began at `position`: ERR, WRONGTYPE, ... */
  errorCode(position: number): string {
    const start = position - this.gone + 1
    const { bytes } = this.writer
    let end = start
    while (end < this.writer.length && bytes[end]! > SPACE) end++
    return bytes.toString('latin1', start, end)
  }

  /** The reply that began at `position` must not leave before `stamp` is released. */
  mark(position: number, stamp: number): void {
    const i = this.marks++
    this.replies[i] = this.reply
    this.starts[i] = position - this.gone
    this.ends[i] = this.writer.length
    this.stamps[i] = stamp
    if (stamp > this.newestStamp) this.newestStamp = stamp
  }

  /**
   * Something that is no reply, between two of them: `begin`s and ends itself. `stamp` 0 depends on nothing. The bytes end in CRLF and are
   * not changed any more: a long message lies in memory once, however many it is for (32 KiB for 500 subscribers: 65 ms of copying before).
   */
  push(message: Buffer, stamp: number): void {
    const position = this.begin()
    if (message.length >= OWN_PIECE_BYTES) {
      this.messages++
      this.hole(0).fillMessage(message)
    } else this.writer.raw(message, 0, message.length)
    if (stamp === 0) return
    this.mark(position, stamp)
    this.pushes.add(this.reply)
  }

  /** The reply that began last is written in steps: nothing of it leaves before `close`. */
  open(): void {
    this.openFrom = this.writer.length
  }

  close(): void {
    this.openFrom = -1
  }

  /**
   * A place in the reply that began last, for about so many bytes: they count as pending before they are there. `onError`: it is an error
   * that has come.
   */
  slot(expectedBytes: number, onError?: () => void): ReplySlot {
    return this.hole(expectedBytes, onError)
  }

  private hole(expectedBytes: number, onError: () => void = () => {}): Hole {
    const hole = new Hole(this, this.reply, this.position, expectedBytes, onError)
    this.filledBytes += expectedBytes
    if (this.discarded) hole.drop()
    else {
      this.holes.push(hole)
      this.owner.onHoles(1)
    }
    return hole
  }

  /** Whether so many bytes more may be said. Where not, the client is to be closed. */
  hasRoomFor(bytes: number): boolean {
    if (this.overLimitBytes > 0) return false
    const { pendingLimit } = this.owner
    const pending = this.pendingBytes + bytes
    if (pendingLimit === 0 || pending <= pendingLimit) return true
    this.endHere(pending)
    return false
  }

  /** No more is said: the connection is going to be closed, with so many bytes pending. */
  endHere(pending: number): void {
    this.overLimitBytes = Math.max(1, pending)
    this.owner.onOverLimit()
  }

  /** For the writer. */
  takeBuffer(bytes: number): Buffer {
    return this.pool.take(bytes)
  }

  giveBuffer(buffer: Buffer): void {
    this.pool.give(buffer)
  }

  mayGrow(): boolean {
    if (this.hasRoomFor(0)) return true
    this.takeBack(this.began)
    return false
  }

  /** For the writer. */
  takeLarge(bytes: Buffer, start: number, end: number): void {
    if (this.hasRoomFor(end - start))
      this.slot(end - start).fillBulk(new Slice(Buffer.from(bytes.subarray(start, end))))
  }

  /**
   * Takes back what the reply that began last has said since `position`: where it began, or where a part of it did, and then there were
   * so many open holes. It is not marked yet.
   */
  takeBack(position: number, openHoles = 0): void {
    this.writer.length = Math.min(this.writer.length, position - this.gone)
    let taken = 0
    for (; this.holes.length > openHoles && this.holes.last?.reply === this.reply; taken++) this.holes.pop().drop()
    if (taken > 0) this.owner.onHoles(-taken)
  }

  /** Writes with sequences >= first came to nothing: each reply that depends on one becomes `-message`. */
  fail(first: number, message: string): void {
    if (this.marks === 0 || this.newestStamp < first) return
    const error = Buffer.from(`-${message}\r\n`, 'latin1')
    const { bytes, length } = this.writer
    const pieces: Buffer[] = []
    const holes = this.holes.take(this.holes.length)
    let nextHole = 0
    let dropped = 0
    let kept = 0
    let newest = 0
    let from = 0
    let shift = 0
    for (let i = 0; i < this.marks; i++) {
      const start = this.starts[i]!
      const end = this.ends[i]!
      const reply = this.replies[i]!
      const stamp = this.stamps[i]!
      if (stamp < first) {
        this.replies[kept] = reply
        this.starts[kept] = start + shift
        this.ends[kept] = end + shift
        this.stamps[kept++] = stamp
        if (stamp > newest) newest = stamp
        continue
      }
      for (; nextHole < holes.length && holes[nextHole]!.reply <= reply; nextHole++) {
        const hole = holes[nextHole]!
        if (hole.reply !== reply) this.keepHole(hole, shift)
        else {
          hole.drop()
          dropped++
        }
      }
      const instead = this.pushes.delete(reply) ? NOTHING : error
      pieces.push(bytes.subarray(from, start), instead)
      shift += instead.length - (end - start)
      from = end
    }
    for (; nextHole < holes.length; nextHole++) this.keepHole(holes[nextHole]!, shift)
    pieces.push(bytes.subarray(from, length))
    if (this.openFrom >= 0) this.openFrom += shift
    this.gone -= shift // so that positions given out for the reply under way stay true
    for (let i = 0; i < this.holes.length; i++) this.holes.at(i)!.at -= shift
    if (dropped > 0) this.owner.onHoles(-dropped)
    this.marks = kept
    this.newestStamp = newest
    this.writer.bytes = Buffer.concat(pieces)
    this.writer.length = this.writer.bytes.length
  }

  /** Sends what may leave when `released` is released. */
  send(released: number): void {
    if (this.inFlight > 0 || this.discarded) return
    const { writer } = this
    let limit = writer.length
    if (this.marks > 0) limit = this.releasable(released)
    if (this.openFrom >= 0 && this.openFrom < limit) limit = this.openFrom
    if (this.holes.length > 0) this.sendAround(limit)
    else if (limit > 0) {
      this.write(writer.bytes, limit)
      this.leave(limit, limit)
    }
    if (writer.length === 0 && writer.bytes.length > 0) {
      this.pool.give(writer.bytes)
      writer.bytes = NOTHING
    }
  }

  /** The connection is closed: nothing leaves any more, what is still filled or said is dropped. */
  discard(): void {
    this.discarded = true
    const holes = this.holes.take(this.holes.length)
    for (const hole of holes) hole.drop()
    if (holes.length > 0) this.owner.onHoles(-holes.length)
    this.marks = 0
    this.writer.length = 0
  }

  /** So many bytes more or less wait in holes, or to be said. */
  counted(bytes: number): void {
    this.filledBytes += bytes
  }

  /** For holes. */
  messageDropped(): void {
    this.messages--
  }

  /** For holes: one has its bytes. */
  filled(): void {
    if (!this.discarded) this.owner.onSendable()
  }

  private keepHole(hole: Hole, shift: number): void {
    hole.at += shift
    this.holes.push(hole)
  }

  /** Forgets the marks that `released` has reached; returns where the first reply that waits begins. */
  private releasable(released: number): number {
    if (this.newestStamp <= released) {
      if (this.marks > KEPT_MARKS) this.cutMarks(0)
      this.marks = 0
      this.newestStamp = 0
      if (this.pushes.size > 0) this.pushes.clear()
      return this.writer.length
    }
    let n = 0
    while (n < this.marks && this.stamps[n]! <= released) n++
    if (n > 0) {
      this.cutMarks(this.marks)
      for (const column of [this.replies, this.starts, this.ends, this.stamps]) column.splice(0, n)
      this.marks -= n
      for (const reply of this.pushes) {
        if (reply >= this.replies[0]!) break
        this.pushes.delete(reply)
      }
    }
    return this.starts[0]!
  }

  private cutMarks(count: number): void {
    for (const column of [this.replies, this.starts, this.ends, this.stamps]) column.length = count
  }

  /** As send, where values that were read go between the bytes. */
  private sendAround(limit: number): void {
    const { bytes } = this.writer
    const { holes, gone } = this
    const firstToStay = this.marks > 0 ? this.replies[0]! : this.openFrom >= 0 ? this.reply : Number.POSITIVE_INFINITY
    let n = 0
    let large = false
    for (; ; n++) {
      const hole = holes.at(n)
      if (hole === undefined || hole.content === null || hole.reply >= firstToStay) break
      large ||= hole.size >= OWN_PIECE_BYTES
    }
    const stays = holes.at(n)
    if (stays !== undefined && stays.at - gone < limit) limit = stays.at - gone
    if (limit === 0 && n === 0) return
    const pieces: Buffer[] = []
    let from = 0
    for (const hole of holes.take(n)) {
      const at = hole.at - gone
      if (at > from) pieces.push(bytes.subarray(from, at))
      pieces.push(hole.head, hole.content!, CRLF)
      this.filledBytes -= hole.size
      if (hole.isMessage) this.messages--
      from = at
    }
    if (n > 0) this.owner.onHoles(-n)
    if (limit > from) pieces.push(bytes.subarray(from, limit))
    let sent = 0
    for (const piece of pieces) sent += piece.length
    if (large) {
      this.socket.cork()
      for (const piece of pieces) this.socket.write(piece)
      this.socket.uncork()
    } else {
      this.write(Buffer.concat(pieces, sent), sent)
    }
    this.leave(limit, sent)
  }

  /** bytes[0..length) leave: what the kernel does not take at once is the socket's. */
  private write(bytes: Buffer, length: number): void {
    const taken = offer(this.adopted, bytes, Math.min(length, OFFERED_BYTES))
    if (taken < length) this.socket.write(bytes.subarray(taken, length))
  }

  /** writer.bytes[0..limit) have been handed to the socket, in a write of `sent` bytes. */
  private leave(limit: number, sent: number): void {
    const { writer } = this
    const rest = writer.length - limit
    const waiting = this.socket.writableLength
    this.sentBytes += sent
    this.gone += limit
    if (waiting === 0) {
      if (rest > 0) writer.bytes.copyWithin(0, limit, writer.length)
    } else {
      // The kernel is full. An empty write behind the others says when they are through; it costs only those it concerns.
      this.inFlight = waiting
      const lent = writer.bytes
      this.lent = lent
      this.socket.write(NOTHING, this.onWritten)
      writer.bytes = rest > 0 ? this.pool.take(2 * rest) : NOTHING
      if (rest > 0) lent.copy(writer.bytes, 0, limit, writer.length)
    }
    writer.length = rest
    for (let i = 0; i < this.marks; i++) {
      this.starts[i]! -= limit
      this.ends[i]! -= limit
    }
    if (this.openFrom >= 0) this.openFrom -= limit
  }

  private readonly onWritten = (error?: Error | null): void => {
    this.inFlight = 0
    // After an error the kernel may still be at it.
    if (error === undefined || error === null) this.pool.give(this.lent)
    this.lent = NOTHING
    if (!this.discarded) this.owner.onSendable()
  }
}
