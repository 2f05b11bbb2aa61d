// One more client, that owns nothing: it asks for merges, turns directives, sends halves of requests and hangs up. Nothing of
// it may change what the others hold.

import { ConnectionClosed, type RawConnection } from '../harness/connection.ts'
import type { Random } from '../harness/random.ts'
import { encodeRequest, ReplyError } from '../harness/resp.ts'

/** Meddles until the server is gone. Returns what it was told that nobody should be. */
export async function meddle(open: () => Promise<RawConnection>, random: Random): Promise<string[]> {
  const problems: string[] = []
  let connection: RawConnection | undefined
  try {
    connection = await open()
    for (;;) {
      if (random.chance(0.1)) await hangUpHalfWay(open, random)
      const words = random.pick(deeds)(random)
      const reply = await connection.call(...words)
      // A merge may be running already, or be paused: these are answers. That writes are refused is none.
      if (reply instanceof ReplyError && /^(MISCONF|IOERR|ERR (unknown|syntax))/.test(reply.message)) {
        problems.push(`${words.join(' ')} was answered ${reply.message}`)
      }
    }
  } catch (error) {
    // Not connected: it died before. A reset: it died with our bytes unread.
    const { code } = error as NodeJS.ErrnoException
    if (!(error instanceof ConnectionClosed) && code === undefined) problems.push((error as Error).message)
  } finally {
    connection?.close()
  }
  return problems
}

const deeds: ReadonlyArray<(random: Random) => string[]> = [
  () => ['MERGE'],
  () => ['MERGE'],
  () => ['MERGE', 'PAUSE'],
  () => ['MERGE', 'RESUME'],
  () => ['MERGE', 'WHY'],
  (random) => ['CONFIG', 'SET', 'appendfsync', random.pick(['always', 'everysec', 'no'])],
  (random) => ['CONFIG', 'SET', 'segment-size', random.pick(['4kb', '64kb', '1mb'])],
  (random) => ['CONFIG', 'SET', 'value-cache-size', random.pick(['0', '256kb', '8mb'])],
  (random) => ['CONFIG', 'SET', 'merge-interval-ms', random.pick(['1', '20', '1000'])],
  (random) => ['CONFIG', 'SET', 'merge-rate', random.pick(['0', '0', '200kb'])],
  () => ['INFO'],
  () => ['KEYS', '*1*'],
  () => ['SAVE'],
]

/** A request that never ends: the key it names must not come to be. */
async function hangUpHalfWay(open: () => Promise<RawConnection>, random: Random): Promise<void> {
  const connection = await open()
  const bytes = encodeRequest(['SET', 'never', 'x'.repeat(random.below(3000) + 1)])
  connection.send(bytes.subarray(0, random.between(1, bytes.length - 1)))
  await new Promise<void>((sent) => connection.socket.end(sent))
  connection.close()
}
