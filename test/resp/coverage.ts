// Which parts of the decoder a run has gone through, by the engine's own counters (node:inspector, precise block coverage).
//
// Asking for the counters costs more than a run of the decoder. So whoever fuzzes asks once for a whole batch of runs, and looks closer only
// when the batch has gone somewhere new.

import { Session } from 'node:inspector'

interface ScriptCoverage {
  readonly url: string
  readonly functions: readonly {
    readonly ranges: readonly { readonly startOffset: number; readonly endOffset: number; readonly count: number }[]
  }[]
}

export class Coverage {
  private readonly session = new Session()
  private readonly files: RegExp

  /** Counts in scripts whose address matches. */
  constructor(files: RegExp) {
    this.files = files
    this.session.connect()
    this.session.post('Profiler.enable')
    this.session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  }

  /** Blocks that were gone through since the last call: script, from, to. */
  take(): string[] {
    const found: string[] = []
    this.session.post('Profiler.takePreciseCoverage', (error, result) => {
      if (error !== null) throw error
      for (const { url, functions } of (result as unknown as { result: ScriptCoverage[] }).result) {
        const name = this.files.exec(url)?.[0]
        if (name === undefined) continue
        for (const { ranges } of functions) {
          for (const { startOffset, endOffset, count } of ranges) {
            if (count > 0) found.push(`${name}:${startOffset}-${endOffset}`)
          }
        }
      }
    })
    return found
  }

  end(): void {
    this.session.post('Profiler.stopPreciseCoverage')
    this.session.disconnect()
  }
}
