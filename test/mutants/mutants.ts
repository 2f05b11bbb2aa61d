// Mutants: the engine with one promise broken, kept as a patch. Tests that stay green over one of them prove nothing.
//
//   NN-name.patch    Breaks: the promise, in a sentence        Red: a test file that must go red, one a line
//                    (an empty line, then a unified diff with one line of context, so that it survives changes nearby)
//
// A mutant runs in a copy of the project: patched and judged by the files that its head names, which run from src; where those stay green,
// built and judged by everything, for threads and servers run from dist. Only a failed test counts as red, or one that hangs: a file that does not load says nothing.
//
// After a change in src that a patch no longer fits: `git apply --check test/mutants/*.patch` names it; make it anew by hand.

import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const FOLDER = path.join(ROOT, 'test/mutants')
/** Files that a copy has no use for, or a link to. */
const NOT_COPIED = new Set(['.git', 'node_modules', 'coverage', 'data'])
/** Far more than the slowest named file takes on a busy machine: who does not end by then hangs, and is not merely slow. */
const TARGETED_MS = 600_000
const EVERYTHING_MS = 3_600_000

export interface Mutant {
  readonly name: string
  readonly file: string
  /** The promise that it breaks. */
  readonly breaks: string
  /** Test files of which at least one must go red. */
  readonly red: readonly string[]
}

export type Verdict = 'red' | 'hangs' | 'red, but only by everything' | 'SURVIVES' | 'does not apply'

export interface Judged {
  readonly mutant: Mutant
  readonly verdict: Verdict
  /** Names of the tests that failed first, or what went wrong. */
  readonly by: string
  readonly seconds: number
}

/** All patches, in their order. Throws where one has no head. */
export function readMutants(): Mutant[] {
  const files = fs.readdirSync(FOLDER).filter((file) => file.endsWith('.patch'))
  return files.sort().map((file) => {
    const text = fs.readFileSync(path.join(FOLDER, file), 'utf8')
    const head = text.slice(0, text.indexOf('\n\n'))
    const breaks = /^Breaks: (.+)$/m.exec(head)?.[1]
    const red = [...head.matchAll(/^Red: (.+)$/gm)].map((match) => match[1] as string)
    if (breaks === undefined || red.length === 0)
      throw new Error(`${file} does not say what it breaks, or what goes red`)
    return { name: file.replace(/^\d+-|\.patch$/g, ''), file: path.join(FOLDER, file), breaks, red }
  })
}

/** True when the patch fits the sources as they are in `root`. */
export function applies(mutant: Mutant, root = ROOT): boolean {
  return git(root, ['apply', '--check', mutant.file]).status === 0
}

function git(root: string, args: readonly string[]): SpawnSyncReturns<string> {
  // A copy is no repository, and must not be taken for a part of one around it: git would then pass over the patch in silence.
  const env = { ...process.env, GIT_CEILING_DIRECTORIES: path.dirname(path.resolve(root)) }
  return spawnSync('git', args, { cwd: root, encoding: 'utf8', env })
}

/** A copy of the project, for mutants one after the other. */
export class Laboratory {
  readonly root: string
  /** The group of processes that tests now, 0 none. */
  private group = 0
  private readonly interrupted = (): void => {
    if (this.group !== 0) process.kill(-this.group, 'SIGKILL')
    this.remove()
    process.exit(1)
  }

  constructor() {
    for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, this.interrupted)
    this.root = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'casky-mutants-')))
    for (const name of fs.readdirSync(ROOT)) {
      if (NOT_COPIED.has(name)) continue
      const filter = (source: string): boolean => path.basename(source) !== 'node_modules'
      fs.cpSync(path.join(ROOT, name), path.join(this.root, name), { recursive: true, filter })
    }
    fs.symlinkSync(path.join(ROOT, 'node_modules'), path.join(this.root, 'node_modules'))
  }

  remove(): void {
    for (const signal of ['SIGINT', 'SIGTERM']) process.removeListener(signal, this.interrupted)
    fs.rmSync(this.root, { recursive: true, force: true })
  }

  /** Runs these test files on the sources as they are: they must be green, or a red one says nothing. */
  async healthy(mutants: readonly Mutant[]): Promise<Judged['by'] | null> {
    const files = [...new Set(mutants.flatMap(({ red }) => red))]
    const { outcome, by } = await this.test(files, EVERYTHING_MS)
    return outcome === 'green' ? null : by
  }

  /** Breaks the copy, tests it, mends it. `last`: what to run when the named files stay green; null: nothing. */
  async judge(mutant: Mutant, last: readonly string[] | null): Promise<Judged> {
    const started = performance.now()
    const end = (verdict: Verdict, by: string): Judged => {
      return { mutant, verdict, by, seconds: (performance.now() - started) / 1000 }
    }
    const applied = git(this.root, ['apply', mutant.file])
    if (applied.status !== 0) return end('does not apply', applied.stderr.trim())
    try {
      const targeted = await this.test(mutant.red, TARGETED_MS)
      if (targeted.outcome === 'red' || targeted.outcome === 'hangs') return end(targeted.outcome, targeted.by)
      if (targeted.outcome === 'broken') return end('SURVIVES', targeted.by)
      if (last === null) return end('SURVIVES', '')
      this.build()
      const everything = await this.test(last, EVERYTHING_MS)
      if (everything.outcome === 'green' || everything.outcome === 'broken') return end('SURVIVES', everything.by)
      return end('red, but only by everything', everything.by)
    } finally {
      git(this.root, ['apply', '-R', mutant.file])
    }
  }

  // Types need not fit: a mutant may leave an import unused.
  private build(): void {
    const tsc = path.join(this.root, 'node_modules/typescript/bin/tsc')
    spawnSync(process.execPath, [tsc, '-p', 'tsconfig.json'], { cwd: this.root })
    spawnSync('npm', ['run', '--silent', 'bundle'], { cwd: this.root })
  }

  private test(files: readonly string[], limitMs: number): Promise<{ outcome: Outcome; by: string }> {
    const vitest = path.join(this.root, 'node_modules/vitest/vitest.mjs')
    // Not this folder's own test: no patch fits twice, so it is red under each of them and would find out everything.
    const args = [
      vitest,
      'run',
      '--bail',
      '1',
      '--no-cache',
      '--reporter',
      'default',
      '--exclude',
      'test/mutants/**',
      ...files,
    ]
    // What the vitest around this one, or a long run, has set is not for that one.
    const env = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !/^(VITEST|CASKY_|TEST$|NODE_ENV$|NODE_OPTIONS$)/.test(name)),
    )
    return new Promise((resolve) => {
      // A group of its own: a worker that hangs in a loop does not notice that its parent is gone.
      const child = spawn(process.execPath, args, { cwd: this.root, env: { ...env, NO_COLOR: '1' }, detached: true })
      const group = child.pid as number
      this.group = group
      let text = ''
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8')
        stream.on('data', (chunk: string) => {
          text += chunk
        })
      }
      let hangs = false
      const limit = setTimeout(() => {
        hangs = true
        process.kill(-group, 'SIGKILL')
      }, limitMs)
      child.on('close', (code) => {
        clearTimeout(limit)
        this.group = 0
        const failed = /^ *FAIL +(.+)$/m.exec(text)?.[1] ?? ''
        if (code === 0) resolve({ outcome: 'green', by: '' })
        else if (hangs) resolve({ outcome: 'hangs', by: files.join(' ') })
        else if (/^ *Tests +\d+ failed/m.test(text)) resolve({ outcome: 'red', by: failed })
        else resolve({ outcome: 'broken', by: text.trim().slice(-600) })
      })
    })
  }
}

type Outcome = 'green' | 'red' | 'hangs' | 'broken'

/** As many mutants as asked for, by a seed. */
export function pick(mutants: readonly Mutant[], count: number, random: () => number): Mutant[] {
  const left = [...mutants]
  const picked: Mutant[] = []
  while (picked.length < count && left.length > 0) {
    picked.push(...left.splice(Math.floor(random() * left.length), 1))
  }
  return picked
}

export const isDead = ({ verdict }: Judged): boolean =>
  verdict === 'red' || verdict === 'hangs' || verdict.startsWith('red')

export const line = ({ mutant, verdict, by, seconds }: Judged): string =>
  `${mutant.name.padEnd(44)} ${verdict.padEnd(8)} ${seconds.toFixed(1).padStart(6)} s  ${by}`
