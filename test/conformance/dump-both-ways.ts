// Values on their way between two servers, in both directions: each server's DUMP is RESTOREd by the other, and what arrives is compared
// byte for byte. Whether payloads are compressed alike is nobody's promise; that both read both is.

import type { RawConnection } from '../harness/connection.ts'
import { randomFrom } from '../harness/random.ts'
import { encodeRequest, type Reply, show } from '../harness/resp.ts'

/** So many values as programs have them: numbers at every edge, short and long texts, repetitions, noise, every length up to 300. */
export function valuesOf(count: number, seed: number): Buffer[] {
  const random = randomFrom(seed)
  const noise = (length: number): Buffer => Buffer.from(Array.from({ length }, () => random.below(256)))
  const values: Buffer[] = []
  for (const power of [0n, 7n, 8n, 15n, 16n, 31n, 32n, 53n, 63n]) {
    for (const near of [-2n, -1n, 0n, 1n]) {
      for (const sign of [1n, -1n]) values.push(Buffer.from(String(sign * (2n ** power + near))))
    }
  }
  for (const text of ['', '-', '-0', '+1', '01', ' 1', '1 ', '1.5', '1e3', 'nan', '\0', '\r\n'])
    values.push(Buffer.from(text))
  for (let length = 0; values.length < count; length++) {
    const size = length <= 300 ? length : random.below(random.chance(0.05) ? 40_000 : 3000)
    switch (random.below(5)) {
      case 0:
        values.push(noise(size))
        break
      case 1:
        values.push(Buffer.alloc(size, 'x'))
        break
      case 2:
        values.push(Buffer.alloc(size, noise(1 + random.below(40))))
        break
      case 3: {
        const words = Array.from({ length: 20 }, () => noise(1 + random.below(9)).toString('base64'))
        let text = ''
        while (text.length < size) text += `{"${words[random.below(20)]}":${random.below(1000)},`
        values.push(Buffer.from(text.slice(0, size)))
        break
      }
      default:
        values.push(Buffer.concat([noise(size >> 1), Buffer.alloc(size >> 2), noise(size >> 2)]))
    }
  }
  return values.slice(0, count)
}

async function ask(on: RawConnection, commands: readonly (readonly (string | Buffer)[])[]): Promise<Reply[]> {
  on.send(Buffer.concat(commands.map((command) => encodeRequest(command))))
  const replies: Reply[] = []
  for (const _ of commands) replies.push((await on.reply()).value)
  return replies
}

/** Returns what did not arrive as it left, one line each. Empty: everything did. */
export async function carry(values: readonly Buffer[], from: RawConnection, to: RawConnection): Promise<string[]> {
  const problems: string[] = []
  const portion = 200
  for (let first = 0; first < values.length; first += portion) {
    const some = values.slice(first, first + portion)
    await ask(
      from,
      some.map((value, i) => ['SET', `k${i}`, value]),
    )
    const payloads = await ask(
      from,
      some.map((_, i) => ['DUMP', `k${i}`]),
    )
    const restored = await ask(
      to,
      payloads.map((payload, i) => ['RESTORE', `k${i}`, '0', payload as Buffer, 'REPLACE']),
    )
    const arrived = await ask(
      to,
      some.map((_, i) => ['GET', `k${i}`]),
    )
    some.forEach((value, i) => {
      if (restored[i] === 'OK' && Buffer.isBuffer(arrived[i]) && (arrived[i] as Buffer).equals(value)) return
      problems.push(`value ${first + i} of ${value.length} bytes: ${show(restored[i]!)}`)
    })
  }
  return problems
}
