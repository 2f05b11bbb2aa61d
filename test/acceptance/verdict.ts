// How an acceptance script speaks: figures as it goes, one line a demand, and an exit code at the end.
//
// A demand that is not met does not stop the script: the other figures are wanted too.

export class Verdict {
  private readonly title: string
  private readonly started = performance.now()
  private met = 0
  private readonly unmet: string[] = []

  constructor(title: string) {
    this.title = title
    console.log(title)
  }

  figure(name: string, value: string | number): void {
    console.log(`  ${name.padEnd(46)} ${value}`)
  }

  demand(holds: boolean, what: string, detail = ''): void {
    if (holds) {
      this.met++
      console.log(`  ok      ${what}`)
    } else {
      this.unmet.push(what)
      console.log(
        `  FAILED  ${what}${detail === '' ? '' : `\n          ${detail.trim().replaceAll('\n', '\n          ')}`}`,
      )
    }
  }

  /** Runs one part; an exception is a demand not met, and the script goes on. */
  async part(what: string, run: () => Promise<void>): Promise<void> {
    try {
      await run()
    } catch (error) {
      this.demand(false, what, (error as Error).stack ?? String(error))
    }
  }

  /** Prints the sum and ends the process: 0 when every demand was met. */
  finish(): never {
    const seconds = ((performance.now() - this.started) / 1000).toFixed(0)
    console.log(`${this.title}: ${this.met} met, ${this.unmet.length} failed, ${seconds} s`)
    process.exit(this.unmet.length === 0 && this.met > 0 ? 0 : 1)
  }
}

export const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`
export const mib = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(0)} MiB`
export const ms = (value: number): string => `${value.toFixed(2)} ms`
