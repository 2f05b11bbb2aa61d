// What a directory takes on disk, and the sampling of it. Counted are blocks, not lengths: a preallocated file counts.

import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

export function directoryBytes(dir: string): number {
  let bytes = 0
  for (const name of readdirSync(dir, { recursive: true }) as string[]) {
    try {
      const stat = statSync(join(dir, name))
      if (stat.isFile()) bytes += stat.blocks * 512
    } catch {
      // removed since it was listed
    }
  }
  return bytes
}

export interface DiskWatch {
  /** The largest of all samples, and how many there were. */
  stop(): { readonly largest: number; readonly samples: number }
}

/** Samples a directory every 100 ms. */
export function watchDisk(dir: string): DiskWatch {
  let largest = directoryBytes(dir)
  let samples = 1
  const timer = setInterval(() => {
    largest = Math.max(largest, directoryBytes(dir))
    samples++
  }, 100)
  return {
    stop: () => {
      clearInterval(timer)
      return { largest, samples }
    },
  }
}
