// npm run soak -- decoder COUNT [SEED]: hostile bytes for the decoder, guided by coverage (test/resp/decoder-fuzz.ts).

import { fuzzDecoder } from '../resp/decoder-fuzz.ts'

/** Runs it and prints what came of it. The exit code: 0 when nothing was found. */
export function soakDecoder(runs: number, seed: number): number {
  console.log(`seed ${seed}`)
  const begun = performance.now()
  const { finds, corpus, places, ...done } = fuzzDecoder({ runs, seed, progress: (line) => console.log(line) })
  for (const { stream, problem } of finds) console.error(`${problem}\n  ${stream}`)
  const rate = Math.round((done.runs * 1000) / (performance.now() - begun))
  console.log(`${done.runs} streams, ${rate}/s: ${corpus} kept, ${places} places, ${finds.length} finds`)
  return finds.length === 0 ? 0 : 1
}
