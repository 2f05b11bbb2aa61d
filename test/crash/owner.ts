// One owner: a connection that writes its two databases, pipelined, and keeps the ledger. It ends when the server dies.

import { ConnectionClosed, type RawConnection } from '../harness/connection.ts'
import type { Random } from '../harness/random.ts'
import { encodeRequest, type Reply } from '../harness/resp.ts'
import { Ledger, type Operation } from './ledger.ts'
import { type Asked, PLAIN_KEYS, seqOf, Workload } from './workload.ts'

export class Owner {
  readonly number: number
  readonly ledger = new Ledger()
  readonly problems: string[] = []
  operations = 0
  private readonly workload: Workload
  private readonly random: Random

  constructor(number: number, random: Random) {
    this.number = number
    this.random = random
    this.workload = new Workload(number, random)
  }

  get databases(): readonly [number, number] {
    return this.workload.databases
  }

  /** Writes until the connection closes. What a reply gets wrong goes to `problems`. */
  async run(connection: RawConnection): Promise<void> {
    this.workload.connected()
    try {
      for (;;) await this.burst(connection, this.random.chance(0.3) ? 1 : this.random.between(2, 40))
    } catch (error) {
      if (!(error instanceof ConnectionClosed)) this.problems.push((error as Error).message)
    } finally {
      connection.close()
    }
  }

  /** Somebody flushes everything. The operation is to be acknowledged when that is. */
  flush(): Operation {
    const operation = this.workload.flushed()
    this.ledger.invoke(operation)
    return operation
  }

  private async burst(connection: RawConnection, count: number): Promise<void> {
    const asked: Asked[] = []
    const bytes: Buffer[] = []
    for (let i = 0; i < count; i++) {
      const operation = this.workload.next(this.ledger.invoked)
      this.ledger.invoke(operation)
      asked.push(operation)
      for (const command of operation.commands) bytes.push(encodeRequest(command))
    }
    connection.send(Buffer.concat(bytes))
    for (const operation of asked) {
      const replies: Reply[] = []
      for (let i = 0; i < operation.commands.length; i++) replies.push((await connection.reply()).value)
      const wrong = operation.check(replies)
      if (wrong !== undefined) this.problems.push(wrong)
      operation.acknowledged?.()
      this.ledger.acknowledge(operation)
      this.operations++
    }
  }
}

/** A reader of everybody's keys: what it is shown must not vanish. Ends when the connection closes. */
export async function watch(connection: RawConnection, owners: readonly Owner[], random: Random): Promise<string[]> {
  const problems: string[] = []
  try {
    for (;;) {
      const owner = random.pick(owners)
      const key = `p${random.below(PLAIN_KEYS)}`
      const database = random.pick(owner.databases)
      connection.send(Buffer.concat([encodeRequest(['SELECT', database]), encodeRequest(['GET', key])]))
      await connection.reply()
      const { value } = await connection.reply()
      if (!Buffer.isBuffer(value)) continue
      const text = value.toString('latin1')
      if (!text.startsWith(`${owner.number}/${key}#`)) problems.push(`a reader got a foreign value for ${key}: ${text}`)
      const seq = seqOf(text)
      if (seq !== undefined) owner.ledger.show(seq)
    }
  } catch (error) {
    if (!(error instanceof ConnectionClosed)) problems.push((error as Error).message)
  } finally {
    connection.close()
  }
  return problems
}
