// The stories of full disks, one for each way a disk can be full. Each returns its figures; what it found wrong is in `problems`, '' for nothing.

import { SmallDisk } from './small-disk.ts'
import { Story, type StoryOptions } from './story.ts'

const MIB = 1024 * 1024

export interface Outcome {
  readonly problems: string
  readonly done: number
  readonly refused: number
  readonly unknown: number
}

export type Fsync = 'always' | 'everysec' | 'no'

export interface Setting {
  readonly seed: number
  readonly appendfsync: Fsync
  /** Of the disk. */
  readonly mib: number
}

/** Tiny segments, and every value from the disk: reads on a full disk are reads of that disk. */
const args = (appendfsync: Fsync): string[] => [
  ...['--appendfsync', appendfsync, '--segment-size', '1mb', '--value-cache-size', '0'],
]

/** Full by its own data: everything the fault table promises, one after the other. */
export const byBytes = (setting: Setting): Promise<Outcome> =>
  told(setting, {}, async (story) => {
    await story.writeUntilRefused()
    await story.check('full')
    await story.refusesWritesOnly('full')
    await story.killAndStart('full')
    await story.refusesWritesOnly('full, killed')
    await story.stopAndStart('full')
    await story.refusesWritesOnly('full, stopped')
    await story.remove(0.6)
    await story.check('full, deleted')
    await story.merge()
    await story.check('merged')
    await story.writesResume()
    await story.write(500)
    await story.killAndStart('resumed')
    await story.write(500)
    await story.stopAndStart('resumed')
  })

/** Nobody says MERGE, and nobody makes room: keys are deleted, and writes resume by themselves. */
export const byItself = (setting: Setting): Promise<Outcome> =>
  told(setting, {}, async (story) => {
    for (let round = 0; round < 3; round++) {
      await story.writeUntilRefused()
      await story.remove(0.5)
      await story.writesResume()
      await story.check(`round ${round}`)
    }
    await story.killAndStart('resumed by itself')
  })

/** Somebody else's file takes all there is; deletes eat the reserve, and the last one; the server is killed and comes back in between. */
export const byOthers = (setting: Setting): Promise<Outcome> =>
  told(setting, { valueBytes: 40 }, async (story, disk) => {
    story.makeRoom = () => disk.clear()
    await story.write(setting.mib * 2500)
    disk.fillBytes(0)
    await story.writeUntilRefused()
    disk.fillBytes(0)
    await story.killAndStart('filled by others')
    disk.fillBytes(0)
    await story.removeUntilRefused(() => disk.fillBytes(0))
    await story.check('the reserve used up')
    await story.killAndStart('the reserve used up')
    await story.check('the reserve used up, killed')
    await story.stopAndStart('the reserve used up')
    disk.clear()
    await story.writesResume()
    await story.write(1000)
    await story.check('room again')
    await story.killAndStart('room again')
  })

/** No more files can be made. */
export const byInodes = (setting: Setting): Promise<Outcome> =>
  told(setting, {}, async (story, disk) => {
    await story.write(1000)
    await story.untilReserved()
    disk.fillInodes(0)
    await story.writeUntilRefused()
    await story.refusesWritesOnly('no inodes')
    await story.remove(0.6)
    await story.merge()
    await story.check('no inodes, merged')
    await story.killAndStart('no inodes')
    await story.stopAndStart('no inodes')
    disk.fillInodes(0) // also what was given up
    await story.killAndStart('not one inode')
    disk.clear()
    await story.writesResume()
    await story.write(2000)
    await story.killAndStart('inodes again')
  })

/** No file may grow beyond a size (ulimit -f): the log goes over to another, again and again. */
export const byFileSize = (setting: Setting): Promise<Outcome> => {
  const more = { fileBytes: 300_000, args: [...args(setting.appendfsync), '--segment-size', '64mb'] }
  return told(setting, more, async (story) => {
    for (let round = 0; round < 5; round++) {
      await story.writeUntilRefused()
      await story.check(`limit ${round}`)
      await story.writesResume()
    }
    await story.killAndStart('the limit reached')
    await story.write(300)
    await story.stopAndStart('the limit reached')
  })
}

export const stories = {
  'full by its own data': byBytes,
  'full, and nobody asks for a merge': byItself,
  'filled by others, and the reserve used up': byOthers,
  'no inodes': byInodes,
  'no larger files (ulimit -f)': byFileSize,
} as const

async function told(
  setting: Setting,
  more: Partial<StoryOptions>,
  tell: (story: Story, disk: SmallDisk) => Promise<void>,
): Promise<Outcome> {
  const { seed, appendfsync, mib } = setting
  const disk = SmallDisk.mount({ bytes: mib * MIB, inodes: 400 })
  let story: Story | undefined
  let broken = ''
  try {
    story = await Story.begin({ seed, dir: `${disk.path}/data`, args: args(appendfsync), keys: 1_000_000, ...more })
    await tell(story, disk)
  } catch (error) {
    broken = `${(error as Error).message}\n`
  }
  const found = (await story?.end()) ?? ''
  disk.unmount()
  const { done = 0, refused = 0, unknown = 0 } = story?.total ?? {}
  return { problems: broken + found, done, refused, unknown }
}
