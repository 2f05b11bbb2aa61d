// The merge as the engine's owner sees it: decides when, moves the entries, commits. Which records live: living.ts, verdicts.ts.
//
// The order that keeps everything (design: Merge; invariants 3 and 4):
//   1. the task copies what lives; its outputs are synced (merge.ts), and their names
//   2. entries move by compare-and-replace: only those that still are what the task read
//   3. the log is synced past everything appended by then: a value that killed an old record must be durable before that record goes
//   4. one manifest lists the outputs and no longer the inputs
//   5. the inputs are unlinked when the last reader has left them
// If the log failed between the first question and step 3, writes were undone and some "dead" records live again: the outputs are listed
// beside the inputs then, and nothing goes. A record that is listed twice is the same record.

import { assert } from '../base/assert.ts'
import type { Background } from './background.ts'
import type { Bitcask } from './bitcask.ts'
import type { Catalog } from './catalog.ts'
import type { MergeControl, MergeStatus, SegmentReason } from './engine.ts'
import { GATE_FULL } from './engine.ts'
import { dataName, parseSegmentName } from './filename.ts'
import { livingPlaces, type Places } from './living.ts'
import { type DamagedInputError, type MergeJob, type MergeResult, maxOutputs, outputSegmentBytes } from './merge.ts'
import { type Choice, chooseInputs, inWindow, NO_ROOM, type Older, olderOf, type SegmentFacts } from './merge-policy.ts'
import type { Steering } from './pace.ts'
import { KIND_SYSTEM, KIND_TOUCH } from './record.ts'
import type { Reserve } from './reserve.ts'
import { SEGMENT_HEADER_BYTES } from './segment-header.ts'
import { NO_SLOT, NOT_KNOWN, type Segment } from './segments.ts'
import { NOTHING, type Room, type Space } from './storage.ts'
import { isOutOfRoom, run, type Task, wait } from './task.ts'
import { Verdicts } from './verdicts.ts'

/** After a seal or a merge the next check comes soon, but not at once: seals come in bursts. */
const SOON_MS = 50
const RETRY_AFTER_FAILURE_MS = 10_000
/** What outputs may take of what is free: hints, manifests and deletes need some too. */
const PART_OF_ROOM = 0.8
/** Of the files: the log's next segment, and a manifest beside the one before. */
const FILES_OF_OTHERS = 2
/** While it is being found out. */
const ALL_OF_IT: Room = { bytes: Number.POSITIVE_INFINITY, files: Number.POSITIVE_INFINITY }

/** The verdict where there may be more outputs than there can be segments. */
const NO_SLOTS = 'no room: its outputs are more segments than are left; raise segment-size'

type WaitDone = (error: Error | null, bytesFreed: number) => void

export class Merger implements MergeControl {
  private readonly store: Bitcask
  private readonly catalog: Catalog
  private readonly background: Background
  private readonly random: () => number
  private readonly verdicts: Verdicts
  private readonly seal: (done: (error: Error | null) => void) => void
  private readonly onOutputs: (freedBytes: number) => void
  private readonly reserve: Reserve
  /** Gives up files on a full disk, if so many would help. False: they would not, or there are none. */
  private readonly giveWay: (helps: (files: number) => boolean) => Task<boolean>

  private running: Steering | null = null
  private busy = false
  /** Somebody asked while a merge that nobody asked for was running: one more follows. */
  private askedAgain = false
  /** Segments from this number on did not exist when it was asked for: with them, beside clients that overwrite, it would never end. */
  private askedBelow = Number.POSITIVE_INFINITY
  private asked = false
  private whenIdle: (() => void) | null = null
  private paused = false
  private closed = false
  private waiters: WaitDone[] = []
  private freedForWaiters = 0
  private timer: { cancel(): void } | null = null
  private dueAt = 0
  private notBefore = 0
  private readonly facts = {
    segments: 0,
    bytesTotal: 0,
    bytesRead: 0,
    bytesWritten: 0,
    merges: 0,
    failures: 0,
    lastFreedBytes: 0,
    lastDurationMs: 0,
    lastError: '',
  }

  constructor(
    store: Bitcask,
    catalog: Catalog,
    background: Background,
    random: () => number,
    seal: (done: (error: Error | null) => void) => void,
    onOutputs: (freedBytes: number) => void,
    reserve: Reserve,
    giveWay: (helps: (files: number) => boolean) => Task<boolean>,
  ) {
    this.store = store
    this.catalog = catalog
    this.background = background
    this.random = random
    this.verdicts = new Verdicts(store)
    this.seal = seal
    this.onOutputs = onOutputs
    this.reserve = reserve
    this.giveWay = giveWay
    this.schedule(this.interval())
  }

  // --- what MERGE asks

  start(): boolean {
    if (this.busy || this.paused || this.closed || this.estimate().segments === 0) return false
    this.askedFor()
    return true
  }

  wait(done: WaitDone): void {
    if (this.closed) return done(new Error('the store is closing'), 0)
    this.waiters.push(done)
    if (!this.busy && !this.paused) this.askedFor()
    else if (!this.asked) this.askedAgain = true
  }

  // Somebody said MERGE: what lies in the active segment counts as well, so it is sealed first; unless there can be no other one before
  // a merge has made room (of segments, or on the disk).
  private askedFor(): void {
    this.busy = true
    this.asked = true
    this.askedAgain = false
    this.freedForWaiters = 0
    this.seal((error) => {
      this.askedBelow = this.catalog.nextNumber
      if (error !== null && (this.store.log.failed || !isWithoutRoom(error))) return this.finish(error, 0)
      // What a FLUSHALL has left behind still counts as alive.
      this.store.doomed.whenFreed(() => {
        if (!this.begin(true)) this.finish(null, 0)
      })
    })
  }

  pause(): void {
    this.paused = true
    this.running?.pause()
  }

  limit(bytesPerSecond: number): void {
    this.running?.limit(bytesPerSecond)
  }

  resume(): void {
    this.paused = false
    this.running?.resume()
    if (this.askedAgain && !this.busy) this.askedFor()
    this.schedule(SOON_MS)
  }

  status(): MergeStatus {
    const state = this.paused
      ? 'paused'
      : this.busy
        ? 'running'
        : this.store.settings.mergeEnabled
          ? 'idle'
          : 'disabled'
    return { ...this.facts, state, nextCheckInMs: Math.max(0, Math.round(this.dueAt - this.store.clock.monotonic())) }
  }

  estimate(): { bytesFreed: number; segments: number } {
    // The active segment would be sealed first: it is judged as if it were.
    const all = this.segmentFacts()
      .filter(({ sealed, bytes }) => sealed || bytes > SEGMENT_HEADER_BYTES)
      .map((facts) => (facts.sealed ? facts : { ...facts, sealed: true }))
    const choice = chooseInputs(all, this.store.settings, 'asked')
    return { bytesFreed: choice.freedBytes, segments: choice.inputs.length }
  }

  why(): ReturnType<MergeControl['why']> {
    const places = [0]
    const expired = new Map<number, number>()
    return {
      step: () => {
        this.store.expiredBytes(places, expired)
        return places.length === 0
      },
      segments: () => this.reasons(expired),
    }
  }

  private reasons(expired: ReadonlyMap<number, number>): SegmentReason[] {
    const all = this.segmentFacts()
    const { inputs, verdicts } = chooseInputs(all, this.store.settings, 'due')
    const picked = this.hasSlots(inputs) ? 'picked' : NO_SLOTS
    return all.map((facts) => ({
      segment: facts.number,
      bytes: facts.bytes,
      liveBytes: facts.liveBytes,
      deadBytes: facts.deadBytes,
      expiredBytes: expired.get(facts.number) ?? 0,
      tombstones: facts.tombstones,
      verdict: inputs.includes(facts.number) ? picked : (verdicts.get(facts.number) as string),
    }))
  }

  // --- deciding

  /** Something changed that may make a merge worth it: a seal, a setting. */
  reconsider(): void {
    this.schedule(SOON_MS)
  }

  private interval(): number {
    return this.store.settings.mergeIntervalMs * (0.9 + 0.2 * this.random())
  }

  private schedule(ms: number): void {
    if (this.closed) return
    const at = this.store.clock.monotonic() + ms
    if (this.timer !== null && this.dueAt <= at) return
    this.timer?.cancel()
    this.dueAt = at
    this.timer = this.store.clock.after(ms, () => {
      this.timer = null
      this.check()
      // After a failure not a whole interval later: on a full disk a merge may be what makes room for deletes.
      const waitsMs = this.notBefore - this.store.clock.monotonic()
      this.schedule(waitsMs > 0 ? Math.min(waitsMs, this.interval()) : this.interval())
    })
  }

  private check(): void {
    const { settings, clock, log } = this.store
    if (this.busy || this.paused || this.closed || log.failed || !settings.mergeEnabled) return
    if (clock.monotonic() < this.notBefore) return
    if (!inWindow(settings.mergeWindow, new Date(clock.now()).getHours())) return
    this.begin(false)
  }

  private segmentFacts(): SegmentFacts[] {
    const segments = [...this.store.segments.all()].filter((one) => one.listed && one !== this.store.log.next)
    const all = segments.map((segment) => factsOf(segment))
    const fresh = segments.filter(({ merged, deadBeforeIt }) => merged && deadBeforeIt === NOT_KNOWN)
    if (fresh.length === 0) return all
    const older = olderOf(all)
    for (const segment of fresh) {
      const { deadBytes } = older.get(segment.number) as Older
      if (deadBytes !== Number.POSITIVE_INFINITY) segment.deadBeforeIt = deadBytes
    }
    return segments.map((segment) => factsOf(segment))
  }

  private begin(asked: boolean): boolean {
    const { gate, settings } = this.store
    if (this.closed) return false
    const occasion = asked ? 'asked' : (gate & GATE_FULL) !== 0 ? 'full' : 'due'
    const below = asked ? this.askedBelow : Number.POSITIVE_INFINITY
    const choose = (room?: Room): Choice => chooseInputs(this.segmentFacts(), settings, occasion, room, below)
    if (choose().inputs.length === 0) return false
    this.busy = true
    run(this.fitting(choose), (error, found) => {
      if (this.closed) return this.finish(new Error('the store is closing'), this.freedForWaiters)
      const choice = error === null ? (found as Choice) : choose() // nobody knows how much room there is: it is tried
      if (choice.inputs.length > 0 && this.hasSlots(choice.inputs)) this.run(choice, asked)
      else {
        this.notBefore = this.store.clock.monotonic() + RETRY_AFTER_FAILURE_MS
        const why = new Error(choice.inputs.length > 0 ? NO_SLOTS : NO_ROOM)
        this.finish(this.freedForWaiters > 0 ? null : why, this.freedForWaiters)
      }
    })
    return true
  }

  // Outputs lie beside their inputs until they count: a disk that is nearly full must have room for them. On a full one a merge is what makes
  // room, so others give way to it: where it lacks files, of which each gives one. Bytes it has, or the deletes that go on will give them.
  private *fitting(choose: (room: Room) => Choice): Task<Choice> {
    const { store, reserve } = this
    yield* reserve.whenStill()
    reserve.claim = ALL_OF_IT
    for (;;) {
      const { free, freeFiles = Number.POSITIVE_INFINITY } = yield* wait<Space>((done) =>
        store.segments.storage.space(done),
      )
      const bytes = free * PART_OF_ROOM
      const files = Math.max(0, freeFiles - FILES_OF_OTHERS)
      const choice = choose({ bytes, files })
      const isDiskFull = (store.gate & GATE_FULL) !== 0 && !reserve.whole
      if (choice.inputs.length > 0 || this.closed || !isDiskFull) return choice
      const helps = (more: number): boolean => choose({ bytes, files: files + more }).inputs.length > 0
      const isGiven = yield* wait<boolean>((done) => this.catalog.enqueue(() => this.giveWay(helps), done as never))
      if (!isGiven) return choice
    }
  }

  // Outputs are segments beside their inputs, and nothing can be done about them once entries point there.
  private hasSlots(inputs: readonly number[]): boolean {
    return this.outputsOf(this.segmentsOf(inputs)).count <= this.store.segments.free
  }

  private segmentsOf(numbers: readonly number[]): Segment[] {
    return numbers.map((number) => this.store.segments.get(number) as Segment)
  }

  /** How large they become, and how many they can be. */
  private outputsOf(inputs: readonly Segment[]): { segmentSizeBytes: number; count: number } {
    const inputBytes = sizeOf(inputs)
    const segmentSizeBytes = outputSegmentBytes(inputBytes, this.store.settings.segmentSizeBytes)
    return { segmentSizeBytes, count: maxOutputs(inputBytes, segmentSizeBytes) }
  }

  private jobFor(inputs: readonly Segment[], places: Places): MergeJob {
    const { store, catalog } = this
    const taken = new Set(inputs)
    const newest = Math.max(...inputs.map(({ highSequence }) => highSequence))
    const { segmentSizeBytes, count } = this.outputsOf(inputs)
    const job: MergeJob = {
      storeId: catalog.storeId,
      inputs: inputs.map((s) => ({
        number: s.number,
        slot: s.slot,
        salt: s.salt,
        validBytes: s.sizeBytes,
        places: places.get(s.number) ?? null,
      })),
      outside: [...store.segments.all()]
        .filter((s) => s.listed && !taken.has(s) && s.sizeBytes > SEGMENT_HEADER_BYTES && s.lowSequence < newest)
        .map((s) => ({
          number: s.number,
          salt: s.salt,
          validBytes: s.sizeBytes,
          lowSequence: s.lowSequence,
          hinted: s.sealed && s.hinted,
        })),
      firstNumber: catalog.nextNumber,
      salts: Array.from({ length: count }, () => catalog.newSalt()),
      seed: Math.floor(this.random() * 2 ** 32),
      segmentSizeBytes,
      rateBytesPerSecond: store.settings.mergeRateBytesPerSecond,
      portions: store.portions,
    }
    catalog.nextNumber += count
    return job
  }

  private run(choice: Choice, asked: boolean): void {
    const { store, catalog, facts } = this
    const inputs = this.segmentsOf(choice.inputs)
    const inputBytes = sizeOf(inputs)
    this.reserve.claim = choice.outputs
    const failures = store.log.failures
    const { directoryFailures } = catalog
    const startedAt = store.clock.monotonic()
    facts.segments = inputs.length
    facts.bytesTotal = inputBytes
    facts.bytesRead = 0
    facts.bytesWritten = 0
    const ended = (error: Error | null, freed: number): void => {
      facts.lastDurationMs = Math.round(store.clock.monotonic() - startedAt)
      if (error === null) {
        facts.merges++
        facts.lastFreedBytes = freed
        facts.lastError = ''
        // Nothing was won: what was counted as dead can not go yet. Others must change first, so there is no hurry.
        if (freed <= 0 && !asked) this.notBefore = store.clock.monotonic() + this.interval()
        store.logger.verbose('Merge finished', { inputs: choice.inputs, freedBytes: freed })
      } else {
        facts.failures++
        facts.lastError = error.message
        this.notBefore = store.clock.monotonic() + RETRY_AFTER_FAILURE_MS
        if (!this.closed) store.logger.warning('Merge abandoned, the data is as it was', { error: error.message })
      }
      this.freedForWaiters += Math.max(0, freed)
      // Somebody who waits waits for all of it: what one merge could not take, and tombstones that can go now that older records have gone.
      const isMore = freed > 0 || [...choice.verdicts.values()].some((verdict) => verdict.startsWith('next time'))
      if (error === null && asked && isMore && this.begin(true)) return
      this.finish(error, this.freedForWaiters)
    }
    const merged = (result: MergeResult): void => {
      const outputBytes = result.outputs.reduce((sum, output) => sum + output.validBytes, 0)
      // The outputs' names, before an entry points into them. In the queue of manifests: an error of a directory's sync is told once, and
      // beside a commit it could be the commit's.
      function* named(): Task<void> {
        if (catalog.directoryFailures !== directoryFailures) throw new Error('a sync of the directory failed meanwhile')
        yield* catalog.syncNames()
      }
      catalog.enqueue(named, (unnamed) => {
        const hasSlots = result.outputs.length <= store.segments.free // the log has taken some since it began
        if (unnamed !== null || store.log.failures !== failures || this.closed || !hasSlots) {
          for (const output of result.outputs) store.segments.unlink(dataName(output.number))
          ended(unnamed ?? new Error(hasSlots ? 'the log failed or closed meanwhile' : NO_SLOTS), 0)
          return
        }
        this.apply(inputs, result, failures, (failed) => {
          const isFreed = failed === null && inputs.every(({ listed }) => !listed)
          ended(failed, isFreed ? inputBytes - outputBytes : 0)
        })
      })
    }
    // After `failures` was noted: what an undone write brings back to life the walk may have missed.
    run(
      livingPlaces(store, inputs, () => this.closed),
      (error, places) => {
        assert(error === null, 'a walk through the keydir asks no disk')
        if (this.closed) return ended(new Error('the store is closing'), 0)
        this.copy(this.jobFor(inputs, places as Places), merged, (failed) => ended(failed, 0))
      },
    )
  }

  // The task, in the background.
  private copy(job: MergeJob, merged: (result: MergeResult) => void, failed: (error: Error) => void): void {
    const { facts } = this
    const { claim } = this.reserve
    this.running = this.background.merge(
      job,
      {
        ask: (question, reply) => reply(this.verdicts.answer(question)),
        progress: (read, written) => {
          facts.bytesRead = read
          facts.bytesWritten = written
          // What is written is no longer free anyway.
          this.reserve.claim = {
            bytes: Math.max(0, claim.bytes - written),
            files: Math.max(0, claim.files - Math.floor(written / job.segmentSizeBytes)),
          }
        },
      },
      (error, result) => {
        this.running = null
        if (error !== null) {
          this.blame(error)
          this.sweep(job.firstNumber, job.salts.length)
          return failed(error)
        }
        assert(result !== undefined, 'a merge that has not failed has a result')
        merged(result)
      },
    )
    if (this.paused) this.running?.pause()
  }

  private finish(error: Error | null, freed: number): void {
    this.busy = false
    this.asked = false
    this.reserve.claim = NOTHING
    if (this.askedAgain && !this.closed) {
      this.askedFor()
      return
    }
    for (const waiter of this.waiters.splice(0)) waiter(error, freed)
    this.schedule(SOON_MS)
    this.whenIdle?.()
  }

  private blame(error: Error): void {
    // Over a thread's border only the fields of an error survive, not its class.
    const damaged: Partial<DamagedInputError> = error
    if (damaged.segment === undefined) return
    // An input: it cannot have gone meanwhile, since only a merge retires what is sealed.
    const segment = this.store.segments.get(damaged.segment) as Segment
    segment.damaged = true
    this.store.logger.warning('A segment is damaged: it is kept, and no longer merged', {
      segment: damaged.segment,
      offset: damaged.offset,
    })
  }

  // A task that fails removes its outputs; a thread that dies cannot. Nothing else has numbers that were set aside for outputs.
  private sweep(first: number, count: number): void {
    const { storage } = this.store.segments
    if (this.closed) return
    storage.list('', (error, names) => {
      if (error !== null || this.closed) return // what is not listed goes at the next start
      for (const name of names) {
        const parsed = parseSegmentName(name)
        if (parsed === null || parsed.number < first || parsed.number >= first + count) continue
        assert(this.store.segments.get(parsed.number) === undefined, 'what a failed merge left is no segment')
        this.store.segments.unlink(name)
      }
    })
  }

  // --- moving and committing

  private apply(
    inputs: readonly Segment[],
    result: MergeResult,
    failures: number,
    done: (error: Error | null) => void,
  ): void {
    const { store } = this
    const outputs = result.outputs.map((output) => {
      const segment = store.segments.add(output.number, output.salt, true)
      segment.sizeBytes = output.validBytes
      segment.flushedBytes = output.validBytes
      segment.syncedBytes = output.validBytes
      store.segments.seal(segment, store.clock.monotonic())
      segment.lowSequence = output.lowSequence
      segment.highSequence = output.highSequence
      segment.lowTime = output.lowTime
      segment.highTime = output.highTime
      segment.tombstones = output.tombstones
      segment.tombstoneBytes = output.tombstoneBytes
      return segment
    })
    let next = 0
    const slice = (): void => {
      const end = Math.min(result.moves.count, next + store.portions.movedEntries)
      for (; next < end; next++) this.move(result, outputs, next)
      if (next < result.moves.count) store.clock.soon(slice)
      else this.catalog.enqueue(() => this.commit(inputs, outputs, failures), done)
    }
    slice()
  }

  private move(result: MergeResult, outputs: readonly Segment[], i: number): void {
    const { store } = this
    const { keydir } = store
    const { moves } = result
    const entry = moves.entries[i] as number
    const slot = moves.fromSlots[i] as number
    const offset = moves.fromOffsets[i] as number
    const sequence = moves.sequences[i] as number
    const output = outputs[moves.outputs[i] as number] as Segment
    const toOffset = moves.toOffsets[i] as number
    const kind = moves.kinds[i] as number
    if (kind === KIND_SYSTEM) {
      const { system } = store
      if (system.sequence !== sequence || system.segment === null) return
      system.segment.liveBytes -= system.bytes
      output.liveBytes += system.bytes
      store.system = { ...system, segment: output, offset: toOffset }
      return
    }
    if (!keydir.isLinked(entry)) return
    if (kind === KIND_TOUCH) {
      if (!this.verdicts.isTouch(entry, slot, offset, sequence)) return
      store.credit(entry, -1)
      keydir.setTouch(entry, sequence, output.slot, toOffset)
      store.credit(entry, 1)
      return
    }
    if (!this.verdicts.isPlace(entry, slot, offset, sequence)) return
    store.credit(entry, -1)
    keydir.place(
      entry,
      output.slot,
      toOffset,
      keydir.valueSize(entry),
      sequence,
      keydir.type(entry),
      keydir.wide(entry),
    )
    store.credit(entry, 1)
  }

  private *commit(inputs: readonly Segment[], outputs: readonly Segment[], failures: number): Task<void> {
    const { store } = this
    const { log } = store
    try {
      yield* wait<void>((done) => log.whenSynced(log.appended, done as never))
    } catch {
      // Judged below: the count of failures tells.
    }
    const keepInputs = log.failures !== failures
    for (const segment of outputs) segment.listed = true
    if (log.failed) {
      // Closed: no manifest is written any more. The entries point into outputs that stay open until we end, and the next start knows
      // nothing of them: it reads the inputs.
      throw new Error('the log failed while a merge was about to commit')
    }
    if (!keepInputs) for (const segment of inputs) segment.listed = false
    try {
      yield* this.catalog.commit()
    } catch (error) {
      for (const segment of inputs) segment.listed = true
      store.upkeep.manifestFailed(error as Error)
      throw error
    }
    if (!keepInputs) for (const segment of inputs) store.segments.retire(segment)
    this.onOutputs(keepInputs ? 0 : sizeOf(inputs) - sizeOf(outputs))
  }

  /** Ends what runs. Calls back when nothing of a merge is under way any more: neither moves nor a commit. */
  close(done: () => void): void {
    this.closed = true
    this.timer?.cancel()
    this.running?.cancel()
    if (this.busy) {
      this.whenIdle = done
      return
    }
    // Of a MERGE while all were paused.
    for (const waiter of this.waiters.splice(0)) waiter(new Error('the store is closing'), 0)
    done()
  }
}

const isWithoutRoom = (error: Error): boolean => isOutOfRoom(error) || (error as { code?: string }).code === NO_SLOT

function factsOf(segment: Segment): SegmentFacts {
  const { number, liveBytes, deadBytes, tombstoneBytes, tombstones, sealed, hinted, damaged } = segment
  const { sizeBytes, lowSequence, highSequence, merged, deadBeforeIt } = segment
  return {
    number,
    bytes: sizeBytes,
    liveBytes,
    deadBytes,
    tombstoneBytes,
    tombstones,
    sealed,
    hinted: sealed && hinted && !damaged,
    damaged,
    lowSequence,
    highSequence,
    deadBeforeIt: merged ? deadBeforeIt : null,
  }
}

const sizeOf = (segments: readonly Segment[]): number => segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
