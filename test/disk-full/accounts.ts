// What may be on a disk that has been full: for each key the values it may hold, kept by the client that wrote them.
//
// Three answers there are to a write, and each says something else (faults.md's contract, seen from a client):
//
//   +OK                                    it holds that, and nothing before
//   -MISCONF ... outcome ... unknown       it holds what it held, or that
//   -MISCONF                               it was refused: it holds what it held
//
// No answer at all (the server was killed) is an unknown outcome too. What a read shows of an unknown write stays; a restart settles the rest.

import type { RawConnection } from '../harness/connection.ts'
import { type Argument, encodeRequest, type Reply, ReplyError, show } from '../harness/resp.ts'

/** null: no such key. */
type Content = string | null

export interface Write {
  readonly command: readonly Argument[]
  /** What the keys hold when it has happened. */
  readonly effects: ReadonlyArray<readonly [key: string, content: Content]>
}

export interface Tally {
  done: number
  refused: number
  unknown: number
}

const UNKNOWN = 'The outcome of this command is unknown.'

export class Accounts {
  readonly problems: string[] = []
  /** Error texts that were seen, with how often. */
  readonly texts = new Map<string, number>()
  private readonly possible = new Map<string, Set<Content>>()

  /** Keys that surely hold something. */
  get held(): string[] {
    return [...this.possible].filter(([, contents]) => !contents.has(null)).map(([key]) => key)
  }

  /** Sends writes in one piece and notes what becomes of each. The connection may end meanwhile. */
  async play(connection: RawConnection, writes: readonly Write[]): Promise<Tally> {
    const tally: Tally = { done: 0, refused: 0, unknown: 0 }
    connection.send(Buffer.concat(writes.map(({ command }) => encodeRequest(command))))
    let next = 0
    try {
      for (; next < writes.length; next++) this.note(writes[next]!, (await connection.reply()).value, tally)
    } catch {
      for (; next < writes.length; next++) this.maybe(writes[next]!, tally)
    }
    return tally
  }

  private note(write: Write, reply: Reply, tally: Tally): void {
    if (!(reply instanceof ReplyError)) {
      tally.done++
      for (const [key, content] of write.effects) this.possible.set(key, new Set([content]))
      return
    }
    this.texts.set(reply.message, (this.texts.get(reply.message) ?? 0) + 1)
    if (!reply.message.startsWith('MISCONF ')) this.problems.push(`${write.command[0]} was answered ${show(reply)}`)
    if (reply.message.endsWith(UNKNOWN)) this.maybe(write, tally)
    else tally.refused++
  }

  private maybe(write: Write, tally: Tally): void {
    tally.unknown++
    for (const [key, content] of write.effects) this.of(key).add(content)
  }

  private of(key: string): Set<Content> {
    let contents = this.possible.get(key)
    if (contents === undefined) this.possible.set(key, (contents = new Set([null])))
    return contents
  }

  /** Reads every key there ever was. `settles`: after a restart, what is seen is what there is. */
  async check(connection: RawConnection, when: string, settles = false): Promise<void> {
    const keys = [...this.possible.keys()]
    let present = 0
    for (let from = 0; from < keys.length; from += 500) {
      const some = keys.slice(from, from + 500)
      connection.send(Buffer.concat(some.map((key) => encodeRequest(['GET', key]))))
      for (const key of some) {
        const { value } = await connection.reply()
        if (value !== null) present++
        this.judge(key, value, when, settles)
      }
    }
    const size = await connection.call('DBSIZE')
    if (size !== present) this.problems.push(`${when}: DBSIZE is ${show(size)}, ${present} keys were found`)
    const foreign = await connection.call('EXISTS', 'never', 'written')
    if (foreign !== 0) this.problems.push(`${when}: keys exist that were never written`)
    for (const [left, right] of this.pairs()) {
      if (seqOf(left) !== seqOf(right)) this.problems.push(`${when}: half of a transaction: ${left} and ${right}`)
    }
  }

  private judge(key: string, value: Reply, when: string, settles: boolean): void {
    const contents = this.of(key)
    if (value !== null && !Buffer.isBuffer(value)) {
      this.problems.push(`${when}: GET ${key} was answered ${show(value).slice(0, 200)}`)
      return
    }
    const content = value === null ? null : value.toString('latin1')
    if (!contents.has(content)) {
      const wanted = [...contents].map(brief).join(' or ')
      this.problems.push(`${when}: ${key} holds ${brief(content)} and not ${wanted}`)
    }
    if (settles) this.possible.set(key, new Set([content]))
  }

  /** Pairs written by one command whose contents are certain. */
  private *pairs(): Iterable<[string, string]> {
    for (const [key, contents] of this.possible) {
      const other = key.startsWith('left') ? this.possible.get(key.replace('left', 'right')) : undefined
      if (contents.size === 1 && other?.size === 1) yield [brief([...contents][0]!), brief([...other][0]!)]
    }
  }
}

const brief = (content: Content): string => (content === null ? 'nothing' : content.slice(0, 40))
const seqOf = (text: string): string => text.split('#')[1] ?? text
