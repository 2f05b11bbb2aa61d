// A process that holds a store until it is killed: lock-holder.ts DIRECTORY. Says `open` when it has written a key.

import { systemClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/logger.ts'
import { sliceOf } from '../../src/base/slice.ts'
import { openEngine } from '../../src/engine/open.ts'
import { settings } from './test-store.ts'

const [directory = ''] = process.argv.slice(2)
const engine = openEngine(
  {
    directory,
    clock: systemClock,
    logger: silentLogger,
    settings,
    databases: 4,
    onCorruption: 'refuse',
    unsafeNoLock: false,
    coldReads: 2,
    synchronousIo: true,
    reserveBytes: 0,
  },
  { onReleased() {}, onFailed() {}, onGate() {}, onChange() {} },
  (error) => {
    if (error !== null) throw error
    engine.put(0, sliceOf('of the killed one'), sliceOf('v'), 0)
    engine.flush()
    console.log('open')
  },
)
setInterval(() => {}, 60_000) // the engine's own timers keep nobody alive
