// All families of cases, in the order they are played.

import { arity } from './families/arity.ts'
import { bitmaps } from './families/bitmaps.ts'
import { configuration } from './families/configuration.ts'
import { authentication, authenticationLimits, connections } from './families/connections.ts'
import { databases } from './families/databases.ts'
import { dump } from './families/dump.ts'
import { expiry } from './families/expiry.ts'
import { hyperloglog } from './families/hyperloglog.ts'
import { introspection } from './families/introspection.ts'
import { keys } from './families/keys.ts'
import { notifications, ownNotifications } from './families/notifications.ts'
import { numbers } from './families/numbers.ts'
import { objects } from './families/objects.ts'
import { protocol } from './families/protocol.ts'
import { pubsub, pushes } from './families/pubsub.ts'
import { server } from './families/server.ts'
import { standalone } from './families/standalone.ts'
import { strings } from './families/strings.ts'
import { tracking } from './families/tracking.ts'
import { transactions } from './families/transactions.ts'
import type { Family } from './script.ts'

export const families: readonly Family[] = [
  strings,
  numbers,
  bitmaps,
  hyperloglog,
  keys,
  expiry,
  objects,
  dump,
  standalone,
  transactions,
  databases,
  connections,
  protocol,
  pubsub,
  pushes,
  notifications,
  ownNotifications,
  tracking,
  server,
  configuration,
  introspection,
  arity,
  authentication,
  authenticationLimits,
]
