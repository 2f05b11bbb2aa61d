// Several clients on each of two servers, and one thing that happens at a time: what everybody hears of it must be the same.
//
// After each step every client is asked for all that has come to it, by a PING behind it. The PING is sent when the step has been answered,
// so that what a server says at the end of its turn (invalidations for prefixes) has its place before it, on both.

import type { RawConnection } from '../harness/connection.ts'
import { encodeRequest } from '../harness/resp.ts'
import type { Server } from '../harness/server.ts'

const SENTINEL = 'that was all'

export interface StageDifference {
  readonly step: string
  readonly client: string
  readonly casky: string
  readonly redis: string
}

type Comparison = (frames: readonly string[]) => string

export const inOrder: Comparison = (frames) => frames.join('')
/** Where the order is nobody's promise: of patterns that match one channel. */
export const inAnyOrder: Comparison = (frames) => [...frames].sort().join('')
/** Giving up all of many: in any order, so that any name may have any count. */
export const countsApart: Comparison = (frames) =>
  [
    ...frames.map((frame) => frame.slice(0, frame.lastIndexOf(':'))),
    ...frames.map((frame) => frame.slice(frame.lastIndexOf(':'))),
  ]
    .sort()
    .join('')

/** `protocols`: the clients, by name. */
export class Stage {
  steps = 0
  heard = 0
  readonly differences: StageDifference[] = []
  private readonly clients = new Map<string, readonly [casky: RawConnection, redis: RawConnection]>()
  private readonly ids = new Map<string, readonly [casky: string, redis: string]>()

  static async open(casky: Server, redis: Server, protocols: Readonly<Record<string, 2 | 3>>): Promise<Stage> {
    const stage = new Stage()
    for (const [name, protocol] of Object.entries(protocols)) {
      const pair = [await casky.connect(), await redis.connect()] as const
      stage.clients.set(name, pair)
      const [ours, theirs] = await Promise.all(pair.map((client) => client.call('CLIENT', 'ID')))
      stage.ids.set(name, [String(ours), String(theirs)])
      if (protocol === 3) await Promise.all(pair.map((client) => client.call('HELLO', '3')))
    }
    return stage
  }

  /** One packet from one client. `{name}` in a word stands for that client's number. `as`: what of the frames is compared. */
  async step(client: string, commands: readonly (readonly string[])[], as: Comparison = inOrder): Promise<void> {
    this.steps++
    const step = `${client}> ${commands.map((words) => words.map((word) => JSON.stringify(word)).join(' ')).join(' ; ')}`
    const [ours, theirs] = await Promise.all([0, 1].map((side) => this.play(client, commands, side as 0 | 1)))
    for (const name of this.clients.keys()) {
      const [casky, redis] = [ours!, theirs!].map((all) => as(all.get(name)!))
      if (casky !== redis) this.differences.push({ step, client: name, casky: casky!, redis: redis! })
      this.heard += theirs!.get(name)!.length
    }
  }

  /** A few differences in words, for a verdict. */
  report(): string {
    return this.differences
      .slice(0, 5)
      .map(({ step, client, casky, redis }) =>
        [
          `${step.slice(0, 300)}`,
          `  ${client} of redis ${JSON.stringify(redis.slice(0, 400))}`,
          `  ${client} of casky ${JSON.stringify(casky.slice(0, 400))}`,
        ].join('\n'),
      )
      .join('\n')
  }

  close(): void {
    for (const pair of this.clients.values()) for (const client of pair) client.close()
  }

  private async play(
    from: string,
    commands: readonly (readonly string[])[],
    side: 0 | 1,
  ): Promise<Map<string, string[]>> {
    const packet = commands.map((words) =>
      encodeRequest(
        words.map((word) =>
          Buffer.from(
            word.replace(/\{(\w+)\}/g, (_, name: string) => this.ids.get(name)![side]),
            'latin1',
          ),
        ),
      ),
    )
    const speaker = this.clients.get(from)![side]
    speaker.send(Buffer.concat(packet))
    const first = await speaker.reply()
    const all = new Map<string, string[]>()
    for (const [name, pair] of this.clients) {
      const frames = name === from ? [first.raw.toString('latin1')] : []
      pair[side].send(encodeRequest(['PING', SENTINEL]))
      for (;;) {
        const text = (await pair[side].reply()).raw.toString('latin1')
        if (text.includes(SENTINEL)) break
        frames.push(text)
      }
      all.set(
        name,
        frames.map((text) => this.withoutIds(text, side)),
      )
    }
    return all
  }

  private withoutIds(text: string, side: 0 | 1): string {
    let result = text
    for (const [name, ids] of this.ids) result = result.replaceAll(`:${ids[side]}\r\n`, `:{${name}}\r\n`)
    return result
  }
}
