// Every command there is: the families, in one table. Dispatch finds commands here, COMMAND describes them from here, and
// the README's list and the tests that hold it together are made from it.

import { bitfieldCommands } from './bitfield.ts'
import { bitmapCommands } from './bitmaps.ts'
import { clientCommands } from './clients.ts'
import { clusterCommands } from './cluster.ts'
import { CommandTable } from './command-table.ts'
import { connectionCommands } from './connection.ts'
import { counterCommands } from './counters.ts'
import { debugCommands } from './debug.ts'
import { dumpCommands } from './dump.ts'
import { expiryCommands } from './expiry.ts'
import { hyperloglogCommands } from './hyperloglog.ts'
import { introspectionCommands } from './introspection.ts'
import { keyCommands } from './keys.ts'
import { latencyCommands } from './latency.ts'
import { lcsCommands } from './lcs.ts'
import { lolwutCommands } from './lolwut.ts'
import { memoryCommands } from './memory.ts'
import { mergeCommands } from './merge.ts'
import { moduleCommands } from './modules.ts'
import { monitorCommands } from './monitor.ts'
import { objectCommands } from './object.ts'
import { pubsubCommands } from './pubsub.ts'
import { replicationCommands } from './replication.ts'
import { scriptingCommands } from './scripting.ts'
import { scrubCommands } from './scrub.ts'
import { serverAdminCommands } from './server-admin.ts'
import { slowlogCommands } from './slowlog.ts'
import { stringCommands } from './strings.ts'
import { transactionCommands } from './transactions.ts'

export const commandTable = new CommandTable([
  connectionCommands,
  clientCommands,
  stringCommands,
  counterCommands,
  lcsCommands,
  bitmapCommands,
  bitfieldCommands,
  hyperloglogCommands,
  keyCommands,
  expiryCommands,
  objectCommands,
  dumpCommands,
  transactionCommands,
  pubsubCommands,
  serverAdminCommands,
  replicationCommands,
  clusterCommands,
  scriptingCommands,
  moduleCommands,
  memoryCommands,
  debugCommands,
  lolwutCommands,
  mergeCommands,
  scrubCommands,
  introspectionCommands,
  slowlogCommands,
  latencyCommands,
  monitorCommands,
])
