// A write that lies: it reports success, and nothing has landed, or half of it, or other bytes. No store can keep what its disk has not kept.
// What can be asked is that nobody is told anything wrong:
//
//   while it runs    every value shown is the one written, or an error
//   at the next start, each of
//     it refuses as damaged; then `serve` starts, has warned, and shows nothing that was never written
//     it starts and has warned: each key shows what it had at one moment, the same for all, or an error
//     it starts in silence: the state of one moment. A moment before the last acknowledged one only if the lie was about the
//     end of the log, where a lost write cannot be told from a torn one
//
// A read that lies once is another thing: the disk is good, and a second look tells the truth. A start shows what it would have shown.

import { MANIFEST, parseSegmentName } from '../../src/engine/filename.ts'
import { decodeManifest } from '../../src/engine/manifest.ts'
import type { SimulatedDisk } from './disk.ts'
import { LIES, type Lie } from './faults.ts'
import { DATABASES, type Life, live } from './life.ts'
import { difference, type State, sameState } from './model.ts'
import { Random } from './random.ts'
import { Scheduler } from './scheduler.ts'
import { type Trace, Violation, World } from './world.ts'

export interface LieReport {
  lies: number
  /** Starts that refused; that warned; that were silent, since nothing was lost; that had lost the log's end in silence. */
  refused: number
  warned: number
  harmless: number
  lostEnd: number
}

export const newLieReport = (): LieReport => ({ lies: 0, refused: 0, warned: 0, harmless: 0, lostEnd: 0 })

/** The `nth` write of that life lies. Throws an Error with a trace at the first violation. */
export function lieOnce(seed: number, nth: number, lie: Lie, ending: 'stop' | 'kill', report: LieReport): void {
  try {
    new Liar(seed, nth, lie, ending, report, null).run()
  } catch (error) {
    const lines: string[] = []
    let told = (error as Error).stack ?? ''
    try {
      new Liar(seed, nth, lie, ending, newLieReport(), (line) => lines.push(line)).run()
    } catch (again) {
      told = again instanceof Violation ? again.message : ((again as Error).stack ?? '')
    }
    throw new Error(`seed ${seed}, write ${nth}, ${lie}, ${ending}: ${told}\n${lines.slice(-400).join('\n')}`)
  }
}

/**
 * Each read of the start after that life lies once, in each way. Throws at the first start that fails or shows another state than one without
 * a lie. Returns how many lies there were.
 */
export function misreadEach(seed: number, ending: 'stop' | 'kill'): number {
  const { world, settings } = live(seed, () => {}, ending)
  const scheduler = new Scheduler(seed)
  const left = world.disk.processCrash(seed, scheduler)
  const start = (plan: (disk: SimulatedDisk) => void, trace: Trace | null): [State, World] => {
    const own = new Scheduler(seed)
    const again = new World(own, left.processCrash(seed, own), trace)
    plan(again.disk)
    const error = again.open(settings, DATABASES)
    if (error !== null) throw new Violation(`failed to start: ${error.stack}`)
    again.disk.faults.clear()
    if (again.warnings.some((line) => line.includes('no good MANIFEST'))) throw new Violation('the MANIFEST is good')
    return [again.dump(DATABASES), again]
  }
  const [truth] = start(() => {}, null)
  let lies = 0
  for (const lie of LIES) {
    for (let nth = 1; ; nth++) {
      let reads = 0
      const plan = (disk: SimulatedDisk): void => {
        disk.failAt(1, lie, { only: (call) => call === 'read' && ++reads === nth })
      }
      const told = (trace: Trace | null): SimulatedDisk => {
        const [state, { disk }] = start(plan, trace)
        if (!sameState(truth, state)) throw new Violation(`another state\n${difference(truth, state)}`)
        return disk
      }
      try {
        if (told(null).faults.lied === 0) break
        lies++
      } catch (error) {
        const lines: string[] = []
        reads = 0
        try {
          told((line) => lines.push(line))
        } catch {
          // the same again, with its story
        }
        throw new Error(
          `seed ${seed}, ${ending}, read ${nth}, ${lie}: ${(error as Error).message}\n${lines.join('\n')}`,
        )
      }
    }
  }
  return lies
}

class Liar {
  readonly #seed: number
  readonly #nth: number
  readonly #lie: Lie
  readonly #ending: 'stop' | 'kill'
  readonly #report: LieReport
  readonly #trace: Trace | null
  readonly #random: Random

  constructor(seed: number, nth: number, lie: Lie, ending: 'stop' | 'kill', report: LieReport, trace: Trace | null) {
    this.#seed = seed
    this.#nth = nth
    this.#lie = lie
    this.#ending = ending
    this.#report = report
    this.#trace = trace
    this.#random = new Random(seed + nth)
  }

  run(): void {
    let writes = 0
    const life = live(
      this.#seed,
      (disk) => {
        disk.failAt(1, this.#lie, { only: (call) => call === 'write' && ++writes === this.#nth })
      },
      this.#ending,
      this.#trace,
    )
    const { disk } = life.world
    if (disk.faults.lied === 0) return // the life went another way, and had fewer writes
    this.#report.lies++
    this.#trace?.(`--- the lie was about ${disk.faults.last}; now it starts again`)
    this.#judge(life, disk)
  }

  #judge(life: Life, disk: SimulatedDisk): void {
    const isLogEnd = atLogEnd(disk, disk.faults.last)
    const world = this.#start(life, disk, 'refuse')
    if (world instanceof Error) {
      this.#report.refused++
      const served = this.#start(life, disk, 'serve')
      if (served instanceof Error) throw new Violation(`'serve' did not start: ${served.message}`)
      if (served.warnings.length === 0) throw new Violation('records are lost and nobody was warned')
      this.#onlyWritten(life, served)
      return
    }
    const unreadable = new Set<string>()
    const state = world.dump(DATABASES, unreadable)
    const hasWarned = world.warnings.length > 0
    if (unreadable.size > 0 && !hasWarned) throw new Violation('damage, and nobody was warned')
    this.#onlyWritten(life, world)
    if (world.warnings.some((line) => line.includes('no good MANIFEST'))) {
      this.#report.warned++
      return
    }
    const moment = life.model.possible(0).find((each) => sameState(masked(each.state, unreadable), state))
    if (moment === undefined) {
      throw new Violation(`it shows what never was at once\n${difference(masked(life.model.state, unreadable), state)}`)
    }
    const isWhole = moment.sequence >= (life.proof === null ? 0 : life.model.at(acknowledged(life)).sequence)
    if (hasWarned) this.#report.warned++
    else if (isWhole) this.#report.harmless++
    else if (isLogEnd) this.#report.lostEnd++
    else throw new Violation(`writes were lost in silence: ${moment.sequence} of ${acknowledged(life)}`)
  }

  #start(life: Life, from: SimulatedDisk, onCorruption: 'refuse' | 'serve'): World | Error {
    const scheduler = new Scheduler(this.#random.bits())
    const world = new World(scheduler, from.processCrash(this.#random.bits(), scheduler), this.#trace)
    world.onCorruption = onCorruption
    const error = world.open(life.settings, DATABASES)
    if (error === null) return world
    if ((error as { code?: string }).code !== 'EDAMAGED') throw new Violation(`failed to start: ${error.stack}`)
    return error
  }

  /** No key shows a value that was never written to it. */
  #onlyWritten(life: Life, world: World): void {
    const unreadable = new Set<string>()
    world.dump(DATABASES, unreadable).forEach((content, database) => {
      for (const [key, { value }] of content) {
        if (unreadable.has(`${database}:${key}`) || life.written.has(`${key} ${value}`)) continue
        throw new Violation(`${database}:${JSON.stringify(key)} shows ${value.slice(0, 30)}, which nobody wrote`)
      }
    })
  }
}

/** The newest sequence that was acknowledged. */
const acknowledged = (life: Life): number => life.world.engine?.released ?? 0

/** Whether a file is one of the segments that the manifest does not call sealed. */
function atLogEnd(disk: SimulatedDisk, name: string): boolean {
  const bytes = disk.peek(MANIFEST)
  const manifest = bytes === null ? null : decodeManifest(Buffer.from(bytes))
  if (manifest === null || typeof manifest === 'string') return false
  const parsed = parseSegmentName(name)
  return manifest.segments.some((segment) => !segment.sealed && segment.number === parsed?.number)
}

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
