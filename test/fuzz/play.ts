// Plays a batch against one server and writes down what came, step by step.

import { encodeRequest } from '../harness/resp.ts'
import { type Batch, bytesOf, type ConnectionName, repliesOf, type Step } from './step.ts'
import { type Frame, isPush, Wire } from './wire.ts'

/** What one step brought: its replies, and pushes that came before them. */
export interface Outcome {
  readonly frames: readonly Frame[]
  /** The server hung up, or did not answer in time: nothing, too little, or something it should not have said. */
  readonly end?: 'closed' | 'silence'
}

/** Steps of one connection that are sent in one go. */
const PIPELINE = 16

/** Empties the server and sets it up for the batch; then one outcome a step. */
export async function play(batch: Batch, port: number): Promise<Outcome[]> {
  const admin = await Wire.open(port)
  await ask(admin, 'CONFIG', 'SET', 'notify-keyspace-events', batch.events)
  await ask(admin, 'DEBUG', 'SET-ACTIVE-EXPIRE', batch.keepsExpired ? '0' : '1')
  await ask(admin, 'FLUSHALL')
  const wires = new Map<ConnectionName, Wire>()
  const outcomes: Outcome[] = []
  // What broadcasts to t in one message is what the server has read in one go: then nothing may be read in one go by chance.
  const mostAtOnce = batch.steps.some((step) => step.on === 't') ? 1 : PIPELINE
  let tokens = 0
  try {
    for (const name of new Set(batch.steps.map((step) => step.on))) wires.set(name, await Wire.open(port))
    const subscriber = wires.get('s')
    const id = subscriber === undefined ? '0' : String((await ask(subscriber, 'CLIENT', 'ID')).value)
    let at = 0
    while (at < batch.steps.length) {
      const turn = nextTurn(batch.steps, at, mostAtOnce)
      at += turn.length
      const { on } = turn[0]!
      const wire = wires.get(on)!
      if (turn[0]!.kind === 'closing') {
        wire.send(bytesOf(turn[0]!, id))
        outcomes.push(await goodbye(wire))
        wire.close()
        wires.set(on, await Wire.open(port))
      } else if (on === 's' || on === 't') {
        const token = `fence ${tokens++}`
        wire.send(Buffer.concat([bytesOf(turn[0]!, id), encodeRequest(['PING', token])]))
        const frames = await wire.until((frame) => frame.raw.includes(token))
        outcomes.push(frames.at(-1)?.raw.includes(token) ? { frames: frames.slice(0, -1) } : cut(wire, frames))
      } else {
        wire.send(Buffer.concat(turn.map((step) => bytesOf(step, id))))
        for (const step of turn) outcomes.push(await answer(wire, repliesOf(step)))
        if (turn.at(-1)!.kind === 'expiring') await untilLater(admin)
      }
    }
    return outcomes
  } finally {
    for (const wire of [admin, ...wires.values()]) wire.close()
  }
}

/** Asks for the time until it is three milliseconds later: so much for a millisecond to live. */
async function untilLater(admin: Wire): Promise<void> {
  const now = async (): Promise<number> => {
    const [seconds, micros] = (await ask(admin, 'TIME')).value as Buffer[]
    return Number(seconds) * 1000 + Number(micros) / 1000
  }
  const begun = await now()
  while ((await now()) < begun + 3);
}

/** As many steps as can be sent without waiting. */
function nextTurn(steps: readonly Step[], from: number, most: number): readonly Step[] {
  const first = steps[from]!
  let to = from + 1
  const alone = (step: Step): boolean => step.kind === 'closing' || step.on === 's' || step.on === 't'
  if (!alone(first)) {
    const more = (): boolean => to < steps.length && to - from < most && steps[to - 1]!.kind !== 'expiring'
    while (more() && steps[to]!.on === first.on && !alone(steps[to]!)) to++
  }
  return steps.slice(from, to)
}

async function answer(wire: Wire, replies: number): Promise<Outcome> {
  let missing = replies
  const frames = await wire.until((frame) => !isPush(frame) && --missing === 0)
  return missing === 0 ? { frames } : cut(wire, frames)
}

async function goodbye(wire: Wire): Promise<Outcome> {
  const bytes = await wire.untilClosed()
  if (bytes === undefined) return { frames: [], end: 'silence' }
  return { frames: [{ raw: bytes, value: bytes }], end: 'closed' }
}

const cut = (wire: Wire, frames: readonly Frame[]): Outcome => ({ frames, end: wire.closed ? 'closed' : 'silence' })

export async function ask(wire: Wire, ...words: string[]): Promise<Frame> {
  wire.send(encodeRequest(words))
  const frame = (await wire.until((one) => !isPush(one))).at(-1)
  if (frame === undefined) throw new Error(`no answer to ${words.join(' ')}`)
  return frame
}
