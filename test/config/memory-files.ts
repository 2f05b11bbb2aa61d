// Files in a Map, for tests of what the configuration does with them. Paths are compared as they are given.

import type { Config } from '../../src/config/config.ts'
import type { Files } from '../../src/config/files.ts'
import { type Loaded, loadConfig } from '../../src/config/load.ts'

export interface MemoryFiles extends Files {
  readonly contents: Map<string, string>
}

export function memoryFiles(contents: Record<string, string> = {}, stdin = ''): MemoryFiles {
  const map = new Map(Object.entries(contents))
  return {
    contents: map,
    read(path) {
      const text = map.get(path)
      if (text === undefined) throw Object.assign(new Error('missing'), { code: 'ENOENT' })
      return text
    },
    readStdin: () => stdin,
    list: (pattern) => [...map.keys()].filter((path) => path.startsWith(pattern.replace('*', ''))).sort(),
    replace(path, text) {
      map.set(path, text)
    },
    openAppend() {
      throw new Error('no test opens a log through these')
    },
  }
}

export interface LoadOptions {
  argv?: string[]
  env?: Record<string, string>
  files?: Files
}

export function load({ argv = [], env = {}, files = memoryFiles() }: LoadOptions): Loaded {
  return loadConfig({ argv, env, cwd: '/start', files })
}

export function configOf(options: LoadOptions): Config {
  const loaded = load(options)
  if ('exit' in loaded) throw new Error(`the configuration was refused: ${loaded.stderr}`)
  return loaded.config
}

export function failureOf(options: LoadOptions): string {
  const loaded = load(options)
  if ('config' in loaded) throw new Error('the configuration was accepted')
  expectExit(loaded.exit)
  return loaded.stderr
}

function expectExit(exit: number): void {
  if (exit !== 1) throw new Error(`exit code ${exit} instead of 1`)
}

export function textOf(config: Config, name: string): string | undefined {
  return config.match([name])[0]?.[1]
}
