// The benchmark: Casky and redis-server (append-only file, synced every second) side by side on this machine. README.md beside it says how to read it.
//
//   npm run bench                                   all rows (some 40 minutes)
//   npm run bench -- set-p1 get-p100 memory         these rows
//   npm run bench -- --quick --json figures.json    fewer, shorter rounds; the figures in a file
//   npm run bench -- --record                       adds the figures to history.json
//   npm run bench -- --node PATH                    beside it Casky on another Node

import { writeFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { CASKY_VERSION } from '../../src/base/version.ts'
import { run } from '../harness/child.ts'
import { processorTimes, stolenShare } from '../harness/process-stats.ts'
import { type Figure, HEADING, line } from './figure.ts'
import { addToHistory } from './history.ts'
import { type Effort, type Row, rows } from './rows.ts'
import { type Side, Stage } from './stage.ts'

const { values, positionals } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
    record: { type: 'boolean', default: false },
    node: { type: 'string' },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    scale: { type: 'string' },
  },
  allowPositionals: true,
})
const otherNode = values.node === undefined ? undefined : resolve(values.node)
const effort: Effort = {
  rounds: Number(values.rounds ?? (values.quick ? 3 : 7)),
  seconds: Number(values.seconds ?? (values.quick ? 1 : 3)),
  scale: Number(values.scale ?? (values.quick ? 0.1 : 1)),
}
/** What a host takes of a virtual machine's processors is in every figure: from here on a row says so. */
const MENTIONED_SHARE = 0.03
if (values.record && (values.quick || effort.scale !== 1)) {
  console.error('--record keeps full runs: not with --quick or --scale')
  process.exit(1)
}
const wanted = positionals.length > 0 ? positionals : Object.keys(rows)
for (const name of wanted) {
  if (rows[name] === undefined) {
    console.error(`no row is called ${name}; there are ${Object.keys(rows).join(' ')}`)
    process.exit(1)
  }
}

const circumstances = await describeMachine()
for (const [name, value] of Object.entries(circumstances)) console.log(`${name}: ${value}`)
console.log(
  `${effort.rounds} rounds of ${effort.seconds} s each${effort.scale === 1 ? '' : `, large counts times ${effort.scale}`}\n`,
)
console.log(HEADING)
const figures: Figure[] = []
/** Part of the processors' time that the host took in each row; and which rows came to nothing. */
const stolenByRow: Record<string, number> = {}
const failed: string[] = []
const skipped: string[] = []
const beganAll = processorTimes()
let stage: Stage | undefined
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void Promise.resolve(stage?.close()).finally(() => process.exit(130)))
}
for (const name of wanted) {
  const row = rows[name]!
  const began = processorTimes()
  try {
    stage = await stageFor(row, stage)
    const measured = await row.measure(stage, effort, name)
    if (measured.length === 0) skipped.push(name)
    for (const figure of measured) {
      figures.push(figure)
      console.log(line(figure))
    }
  } catch (error) {
    console.log(`${name}: FAILED, ${(error as Error).message}`)
    failed.push(name)
    process.exitCode = 1
    await stage?.close()
    stage = undefined
  }
  const stolen = stolenShare(began, processorTimes())
  stolenByRow[name] = stolen
  if (stolen > MENTIONED_SHARE) console.log(`  meanwhile the host took ${(stolen * 100).toFixed(0)}% of the processors`)
  // After each row: a run that is ended keeps what it has.
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(reportNow(), null, 2)}\n`)
}
await stage?.close()
const report = reportNow()
const unmet = figures.filter((figure) => figure.met === false)
console.log(`\n${figures.filter((figure) => figure.met === true).length} aims met, ${unmet.length} not`)
for (const [what, names] of Object.entries({ failed, skipped }))
  if (names.length > 0) console.log(`${what}: ${names.join(' ')}`)
console.log(`of the processors' time the host took ${(report.stolen * 100).toFixed(1)}%`)
if (values.record) addToHistory(report)

function reportNow() {
  const stolen = stolenShare(beganAll, processorTimes())
  return { when: new Date().toISOString(), ...circumstances, ...effort, stolen, stolenByRow, failed, skipped, figures }
}

/** The stage of that row: the one that is open if it is the same, else a new one. */
async function stageFor(row: Row, open: Stage | undefined): Promise<Stage> {
  if (open !== undefined && open.words.name === row.stage.name && row.stage.keys > 0) return open
  await open?.close()
  stage = undefined
  const both: Side[] = otherNode === undefined ? ['casky', 'redis'] : ['casky', 'redis', 'other']
  const keys = row.stage.keys > 1_000_000 ? Math.round(row.stage.keys * effort.scale) : row.stage.keys
  return Stage.open({ ...row.stage, keys }, otherNode, row.sides ?? both)
}

interface Circumstances {
  readonly machine: string
  readonly node: string
  readonly 'other node'?: string
  readonly redis: string
  readonly casky: string
}

async function describeMachine(): Promise<Circumstances> {
  const redis = await run('redis-server', ['--version'])
  const other = otherNode === undefined ? undefined : await run(otherNode, ['--version'])
  return {
    machine: `${cpus().length} x ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}`,
    node: process.version,
    ...(other === undefined ? {} : { 'other node': other.stdout.trim() }),
    redis: redis.stdout.trim().split(' sha')[0]!,
    casky: CASKY_VERSION,
  }
}
