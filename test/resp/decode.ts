// Feeds a decoder the way the server does: every packet arrives in one shared receive buffer, which is overwritten with
// rubbish as soon as `keep` has returned. What the decoder kept by reference shows at once.

import { READY, RequestDecoder } from '../../src/resp/request.ts'

export interface Outcome {
  readonly commands: Buffer[][]
  /** '' while the stream is legal. */
  readonly error: string
  readonly overflow: boolean
  /** The most memory it held between two packets. */
  readonly peakBytes: number
  /** What it still holds at the end. */
  readonly heldBytes: number
}

export interface DecodeOptions {
  readonly authenticated?: boolean
  readonly maxBulkBytes?: number
  readonly maxQueryBytes?: number
}

export const defaultLimits = { maxBulkBytes: 512 * 1024 * 1024, maxQueryBytes: 1024 * 1024 * 1024 }

/** Decodes a stream that arrives in these packets. */
export function decode(packets: readonly Buffer[], options: DecodeOptions = {}): Outcome {
  const decoder = new RequestDecoder(
    {
      maxBulkBytes: options.maxBulkBytes ?? defaultLimits.maxBulkBytes,
      maxQueryBytes: options.maxQueryBytes ?? defaultLimits.maxQueryBytes,
    },
    options.authenticated ?? true,
  )
  const shared = Buffer.alloc(packets.reduce((most, packet) => Math.max(most, packet.length), 0) + 8)
  const commands: Buffer[][] = []
  let peakBytes = 0
  for (const packet of packets) {
    packet.copy(shared, 4)
    decoder.feed(shared, 4, 4 + packet.length)
    while (decoder.next() === READY) {
      const { args } = decoder
      const first = args.at(0).bytes
      const command: Buffer[] = []
      for (let i = 0; i < args.count; i++) {
        if (args.at(i).bytes !== first) throw new Error('arguments of one command in two buffers')
        command.push(args.at(i).copy())
      }
      commands.push(command)
    }
    decoder.keep()
    shared.fill(0xee)
    peakBytes = Math.max(peakBytes, decoder.heldBytes)
  }
  return {
    commands,
    error: decoder.error,
    overflow: decoder.overflow,
    peakBytes,
    heldBytes: decoder.heldBytes,
  }
}

/** The same bytes as packets of at most n bytes. */
export function pieces(stream: Buffer, n: number): Buffer[] {
  const packets: Buffer[] = []
  for (let at = 0; at < stream.length; at += n) packets.push(stream.subarray(at, at + n))
  return packets
}

/** The same bytes, cut before each of these (ascending) positions. */
export function cutAt(stream: Buffer, ...positions: number[]): Buffer[] {
  const packets: Buffer[] = []
  let from = 0
  for (const position of positions) {
    packets.push(stream.subarray(from, position))
    from = position
  }
  packets.push(stream.subarray(from))
  return packets
}

export function latin1(text: string): Buffer {
  return Buffer.from(text, 'latin1')
}

/** Commands as texts (latin1), for comparisons a human reads. */
export function texts(outcome: Outcome): string[][] {
  return outcome.commands.map((command) => command.map((argument) => argument.toString('latin1')))
}
