// Rot: the engine started on a crashed disk of which, besides, one place has gone bad; and started without its manifest.
//
// A run is one seed: clients work, the disk is crashed (power or process), then one thing is done to one file. What the same disk
// shows undamaged is known, so the judge is strict. With one damaged place a start may end in two ways:
//
//   it starts     then every key shows what it would have shown, or an error when it is read; none is missing, none has come back
//                 (where the log's end is hurt, a prefix of the log may be shown, since rot cannot be told from a torn tail there)
//   it refuses    as damaged; then `serve` starts, has warned, and shows for each key only what was once written to it, or an error
//
// Without a manifest all files are read, so what a merge had already taken out may be back, and a torn segment does not hide the
// next one: only what was written is shown, and it is reported. Where the files are those that the manifest listed, and all of their
// bytes are there, the state is the same as with it.
//
// Whatever started goes on: it takes a write, a merge changes nothing, and neither does a restart.

import { sliceOf } from '../../src/base/slice.ts'
import { IMAGE, MANIFEST, parseSegmentName } from '../../src/engine/filename.ts'
import { decodeManifest, type Manifest } from '../../src/engine/manifest.ts'
import { SimulatedDisk } from './disk.ts'
import { difference, emptyState, Model, type State, sameState } from './model.ts'
import { settingsOf } from './power-cuts.ts'
import { Random } from './random.ts'
import { Scheduler } from './scheduler.ts'
import { Tally } from './tally.ts'
import { Workload } from './workload.ts'
import { type Trace, Violation, WORKLOAD_MS, World } from './world.ts'

export interface RotReport {
  runs: number
  started: number
  /** Keys that gave an error. */
  errors: number
  refused: number
  salvaged: number
}

const DATABASES = 3
const TRACE_LINES = 200

/** Runs seeds from `seed` on. Throws an Error with seed and trace at the first violation. */
export function rot(options: { readonly runs: number; readonly seed: number }): RotReport {
  const report: RotReport = { runs: 0, started: 0, errors: 0, refused: 0, salvaged: 0 }
  for (let seed = options.seed; report.runs < options.runs; seed++) {
    report.runs++
    try {
      new Run(seed, report, null).go()
    } catch (error) {
      throw new Error(replayRot(seed, error as Error))
    }
  }
  return report
}

/** Runs one seed again with a trace, and says what happened. */
export function replayRot(seed: number, first: Error | null): string {
  const lines: string[] = []
  let again: Error | null = null
  const report: RotReport = { runs: 0, started: 0, errors: 0, refused: 0, salvaged: 0 }
  try {
    new Run(seed, report, (line) => lines.push(line)).go()
  } catch (error) {
    again = error as Error
  }
  const what = again ?? first
  const text = what instanceof Violation ? what.message : (what?.stack ?? 'no violation')
  return `${text}\nreplay: CASKY_TEST_ROT_SEED=${seed} npx vitest run test/simulation/rot\n${lines.slice(-TRACE_LINES).join('\n')}`
}

/** What a start shows: the state, and which of its keys give an error. */
interface Shown {
  readonly state: State
  readonly unreadable: ReadonlySet<string>
}

class Run {
  readonly #random: Random
  readonly #report: RotReport
  readonly #trace: Trace | null
  readonly #settings: ReturnType<typeof settingsOf>
  /** What clients have put, by `key value`. */
  #written: ReadonlySet<string> = new Set()

  constructor(seed: number, report: RotReport, trace: Trace | null) {
    this.#random = new Random(seed)
    this.#report = report
    this.#trace = trace
    this.#settings = settingsOf(this.#random)
  }

  go(): void {
    const random = this.#random
    const model = new Model(0, emptyState(DATABASES))
    const isWhole = random.chance(0.5)
    const crashed = this.#crashed(model, isWhole)
    const healthy = this.#start(crashed, 'refuse', null)
    if (healthy instanceof Error) throw new Violation(`undamaged, it did not start: ${healthy.message}`)
    const expected = healthy.dump(DATABASES)
    const disk = crashed.processCrash(random.bits(), this.#scheduler())
    const manifest = decodeManifest(Buffer.from(disk.peek(MANIFEST)!)) as Manifest
    if (random.chance(0.25)) this.#salvage(disk, manifest, expected, isWhole)
    else this.#damaged(disk, manifest, model, expected)
  }

  /** What clients leave behind. */
  #crashed(model: Model, isWhole: boolean): SimulatedDisk {
    const random = this.#random
    const scheduler = this.#scheduler()
    const world = new World(scheduler, new SimulatedDisk(scheduler, { sectorBytes: 128 }), this.#trace)
    const error = world.open(this.#settings, DATABASES)
    if (error !== null) throw error
    world.clock.originMs = WORKLOAD_MS
    const workload = new Workload(world, model, random, {
      faulty: () => false,
      synced: () => {},
      tally: new Tally(),
      trace: this.#trace,
    })
    this.#written = workload.written
    const budget = random.between(10, 80)
    const client = (): void => {
      if (!scheduler.random.chance(0.5)) workload.step()
      if (workload.operations < budget) scheduler.add('client', client)
    }
    scheduler.add('client', client)
    while (workload.operations < budget) {
      world.step()
      workload.afterBackground()
    }
    if (isWhole) {
      // All that was written is on the disk, so that a start without a manifest has nothing torn to stumble over.
      world.engine!.flush()
      while (world.engine!.released < world.engine!.appended) {
        world.step()
        workload.afterBackground()
      }
    }
    this.#trace?.('--- crash')
    return !isWhole && random.chance(0.6)
      ? world.disk.crash(random.bits(), this.#scheduler())
      : world.disk.processCrash(random.bits(), this.#scheduler())
  }

  #scheduler(): Scheduler {
    return new Scheduler(this.#random.bits())
  }

  /** A new process on a copy of that disk; `unreadable` is a file whose reads fail from the second on. */
  #start(disk: SimulatedDisk, onCorruption: 'refuse' | 'serve', unreadable: string | null): World | Error {
    const scheduler = this.#scheduler()
    const copy = disk.processCrash(this.#random.bits(), scheduler)
    const world = new World(scheduler, copy, this.#trace)
    world.onCorruption = onCorruption
    if (unreadable !== null) {
      let reads = 0
      copy.failAt(1, 'EIO', {
        forever: true,
        only: (call, name) => call === 'read' && name === unreadable && ++reads > 1,
      })
    }
    this.#trace?.(`--- start, on-corruption ${onCorruption}`)
    const error = world.open(this.#settings, DATABASES)
    if (error === null) return world
    if ((error as { code?: string }).code !== 'EDAMAGED') throw new Violation(`failed to start: ${error.stack}`)
    return error
  }

  #shown(world: World): Shown {
    const unreadable = new Set<string>()
    return { state: world.dump(DATABASES, unreadable), unreadable }
  }

  // --- one damaged place

  #damaged(disk: SimulatedDisk, manifest: Manifest, model: Model, expected: State): void {
    const { name, unreadable } = this.#hurt(disk)
    const number = parseSegmentName(name)?.kind === 'data' ? parseSegmentName(name)!.number : 0
    const isLogEnd = manifest.segments.some((segment) => segment.number === number && !segment.sealed)
    const world = this.#start(disk, 'refuse', unreadable)
    if (world instanceof Error) {
      this.#report.refused++
      const served = this.#start(disk, 'serve', unreadable)
      if (served instanceof Error) throw new Violation(`'serve' did not start: ${served.message}`)
      if (served.warnings.length === 0) throw new Violation('records are lost and nobody was warned')
      const shown = this.#shown(served)
      this.#onlyWritten(shown)
      this.#goesOn(served, shown, unreadable)
      return
    }
    this.#report.started++
    const shown = this.#shown(world)
    this.#report.errors += shown.unreadable.size
    if (shown.unreadable.size > 0 && world.warnings.length === 0) throw new Violation('damage, and nobody was warned')
    const candidates = isLogEnd ? [expected, ...model.possible(0).map(({ state }) => state)] : [expected]
    if (!candidates.some((candidate) => sameState(masked(candidate, shown.unreadable), shown.state))) {
      throw new Violation(
        `damaged ${name}, it started and shows what is not so\n${difference(masked(expected, shown.unreadable), shown.state)}`,
      )
    }
    this.#goesOn(world, shown, unreadable)
  }

  /** Hurts one file in one place. */
  #hurt(disk: SimulatedDisk): { name: string; unreadable: string | null } {
    const random = this.#random
    const names = disk.files().filter((name) => parseSegmentName(name) !== null || name === MANIFEST || name === IMAGE)
    // The rest are caches and copies: data must be met often enough.
    const data = names.filter((name) => name.endsWith('.data'))
    const name = random.chance(0.8) ? random.pick(data) : random.pick(names)
    const bytes = disk.peek(name)!
    const at = random.below(bytes.length)
    const length = Math.min(random.pick([1, 20, 128, 512]), bytes.length - at)
    let how = random.pick(['flip', 'flip', 'zeros', 'noise', 'stale', 'cut', 'missing', 'unreadable'])
    if (name === MANIFEST && how !== 'flip') how = 'flip' // more than one bit is another story: salvage
    this.#trace?.(`--- ${how} ${name} at ${at}, ${length} of ${bytes.length}`)
    switch (how) {
      case 'flip':
        bytes[at]! ^= 1 << random.below(8)
        break
      case 'zeros':
        bytes.fill(0, at, at + length)
        break
      case 'noise':
        for (let i = at; i < at + length; i++) bytes[i] = random.below(256)
        break
      case 'stale': {
        // A block of another place, as a disk leaves it that has written to the wrong one.
        const other = disk.peek(random.pick(data))!
        const from = random.below(Math.max(1, other.length - length))
        bytes.set(other.subarray(from, from + length).slice(0, bytes.length - at), at)
        break
      }
      case 'cut':
        disk.place(name, bytes.subarray(0, at))
        return { name, unreadable: null }
      case 'missing':
        disk.place(name, null)
        return { name, unreadable: null }
      default:
        return { name, unreadable: name }
    }
    disk.place(name, bytes)
    return { name, unreadable: null }
  }

  // --- no manifest

  #salvage(disk: SimulatedDisk, manifest: Manifest, expected: State, isWhole: boolean): void {
    this.#report.salvaged++
    const listed = manifest.segments.map(({ number }) => number).sort((a, b) => a - b)
    const there = disk.files().flatMap((name) => {
      const parsed = parseSegmentName(name)
      return parsed?.kind === 'data' ? [parsed.number] : []
    })
    if (this.#random.chance(0.5)) disk.place(MANIFEST, null)
    else disk.place(MANIFEST, disk.peek(MANIFEST)!.fill(7, 20, -20))
    const isSame = isWhole && there.sort((a, b) => a - b).join() === listed.join()
    this.#trace?.(`--- no manifest; files ${there.join()}, listed ${listed.join()}`)
    const refusing = this.#start(disk, 'refuse', null)
    if (refusing instanceof Error && isSame) throw new Violation(`salvage of whole files: ${refusing.message}`)
    const world = refusing instanceof Error ? this.#start(disk, 'serve', null) : refusing
    if (world instanceof Error) throw new Violation(`'serve' did not start: ${world.message}`)
    if (!world.warnings.some((line) => line.includes('no good MANIFEST'))) throw new Violation('salvage, not reported')
    for (const name of disk.files()) {
      if (name.endsWith('.data') && world.disk.peek(name) === null) throw new Violation(`salvage has removed ${name}`)
    }
    const shown = this.#shown(world)
    if (isSame && !sameState(expected, shown.state)) {
      throw new Violation(`salvage of whole files shows what is not so\n${difference(expected, shown.state)}`)
    }
    this.#onlyWritten(shown)
    this.#goesOn(world, shown, null)
  }

  // --- what holds always

  /** No key shows a value that was never written to it. */
  #onlyWritten(shown: Shown): void {
    // In any database: a lost SWAPDB leaves keys where they were.
    shown.state.forEach((content, database) => {
      for (const [key, { value }] of content) {
        if (shown.unreadable.has(`${database}:${key}`) || this.#written.has(`${key} ${value}`)) continue
        throw new Violation(`${database}:${JSON.stringify(key)} shows ${value.slice(0, 30)}, which nobody wrote`)
      }
    })
  }

  /** It takes a write; a merge changes nothing; neither does a restart, by whatever way. */
  #goesOn(world: World, shown: Shown, unreadable: string | null): void {
    const engine = world.engine!
    const random = this.#random
    const { disk } = world
    engine.put(0, sliceOf('written later'), sliceOf('v'), 0)
    engine.flush()
    world.until(() => engine.released === engine.appended, 'a write was never released')
    const after = shown.state.map((content, database) =>
      database === 0 ? new Map([...content, ['written later', { value: 'v', expiry: 0 }]]) : content,
    )
    const check = (where: World, what: string): void => {
      const now = this.#shown(where)
      const bad = new Set([...now.unreadable, ...shown.unreadable])
      // A lost file, and beside it what a killed merge has left, look like an old manifest (manifest-age.ts). Where a start says so and serves all
      // the same, what could not be read before is not there any more. All else is.
      if (where.warnings.some((line) => line.includes('not believed'))) {
        if (sameState(without(after, bad), without(now.state, bad))) return
      } else if (sameState(masked(after, bad), masked(now.state, bad)) && now.unreadable.size <= shown.unreadable.size)
        return
      throw new Violation(`${what}: the state has changed\n${difference(after, now.state)}`)
    }
    check(world, 'a write')
    let merged = false
    // Once or twice: the first may end at the damage, and the next one does without that segment.
    for (let times = 0; times < 2 && !merged; times++) {
      const error = world.finish((done) => engine.merge.wait((failure) => done(failure)), 'a merge never ended')
      merged = error === null
      check(world, 'a merge')
    }
    if (random.chance(0.5)) {
      const error = world.finish((done) => engine.close(done), 'close never ended')
      if (error !== null) throw new Violation(`close: ${error.message}`)
    } else {
      world.finish((done) => engine.seal(done), 'a seal never ended')
    }
    const again = this.#start(disk, 'serve', unreadable)
    if (again instanceof Error) throw new Violation(`the next start: ${again.message}`)
    check(again, 'the next start')
  }
}

/** The state without these keys. */
function without(state: State, unreadable: ReadonlySet<string>): State {
  return state.map(
    (content, database) => new Map([...content].filter(([key]) => !unreadable.has(`${database}:${key}`))),
  )
}

/** The state with these keys' values hidden, where it has them. */
function masked(state: State, unreadable: ReadonlySet<string>): State {
  if (unreadable.size === 0) return state
  return state.map((content, database) => {
    const changed = new Map(content)
    for (const [key, { expiry }] of content) {
      if (unreadable.has(`${database}:${key}`)) changed.set(key, { value: '', expiry })
    }
    return changed
  })
}
