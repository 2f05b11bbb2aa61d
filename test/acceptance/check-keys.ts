// Does the server hold the loader's keys? DBSIZE exactly, and a sample of values byte for byte.

import { keyOf, loadedValue } from '../harness/loader.ts'
import { randomFrom } from '../harness/random.ts'
import { encodeRequest, show } from '../harness/resp.ts'
import type { Server } from '../harness/server.ts'

/** Asks for `sample` random keys of the first `count`. Returns '' or what is wrong. */
export async function checkKeys(server: Server, count: number, valueBytes: number, sample: number): Promise<string> {
  const connection = await server.connect({ replyLimitMs: 120_000 })
  try {
    const size = await connection.call('DBSIZE')
    if (size !== count) return `DBSIZE is ${show(size)} and not ${count}`
    const random = randomFrom(count)
    for (let done = 0; done < sample; done += 100) {
      const indexes = Array.from({ length: 100 }, () => random.below(count))
      connection.send(Buffer.concat(indexes.map((index) => encodeRequest(['GET', keyOf(index)]))))
      for (const index of indexes) {
        const { value } = await connection.reply()
        if (!Buffer.isBuffer(value) || value.toString() !== loadedValue(index, valueBytes)) {
          return `${keyOf(index)} holds ${show(value).slice(0, 100)}`
        }
      }
    }
    return ''
  } finally {
    connection.close()
  }
}
