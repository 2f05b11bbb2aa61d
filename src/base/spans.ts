// Places in one buffer, for a few keys at once: what the decoder sees coming and the keydir warms up for.

/** More than the processor has misses under way at a time, few enough that the first is still in its cache when it is used. */
export const MAX_SPANS = 32

export class Spans {
  count = 0
  bytes: Buffer = Buffer.alloc(0)
  readonly starts = new Int32Array(MAX_SPANS)
  readonly ends = new Int32Array(MAX_SPANS)
}
