// redis-parser as oracle. It has no types of its own; this is what the tests use of it.

import { createRequire } from 'node:module'

interface ParserOptions {
  returnBuffers?: boolean
  stringNumbers?: boolean
  returnReply(reply: unknown): void
  returnError(error: Error): void
  returnFatalError(error: Error): void
}

const Parser = createRequire(import.meta.url)('redis-parser') as new (
  options: ParserOptions,
) => { execute(bytes: Buffer): void }

export interface Read {
  readonly replies: unknown[]
  /** The parser gave up. */
  readonly fatal: boolean
}

/** All whole replies in the stream. Bulks and simple strings come as Buffers, integers as text. */
export function readReplies(stream: Buffer): Read {
  const replies: unknown[] = []
  let fatal = false
  const parser = new Parser({
    returnBuffers: true,
    stringNumbers: true,
    returnReply: (reply) => replies.push(reply),
    returnError: (error) => replies.push(error),
    returnFatalError: () => {
      fatal = true
    },
  })
  try {
    parser.execute(Buffer.from(stream))
  } catch (error) {
    // It makes the array of whatever length it has read.
    if (!(error instanceof RangeError)) throw error
    fatal = true
  }
  return { replies, fatal }
}
