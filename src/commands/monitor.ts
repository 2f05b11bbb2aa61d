// MONITOR: a connection that is told every command that runs (server/monitor.ts draws the lines).

import { ADMIN, type Command, LOADING, NOSCRIPT, STALE } from './command.ts'
import type { Session } from './session.ts'

export const monitorCommands = [
  {
    name: 'MONITOR',
    arity: 1,
    flags: ADMIN | NOSCRIPT | LOADING | STALE,
    keys: null,
    run: monitor,
    summary: 'Shows this connection every command that runs, until RESET or QUIT.',
    since: '1.0.0',
    group: 'server',
    complexity: 'O(1)',
    difference: 'Times are exact to the millisecond. Who does not read is closed when 64 MiB are waiting.',
  },
] as const satisfies readonly Command[]

function monitor(session: Session): void {
  if (session.isExecuting) return session.reply.error("ERR MONITOR isn't allowed for DENY BLOCKING client")
  if (session.isMonitor) return // says nothing, as in Redis
  session.server.monitor(session, true)
  session.reply.ok()
}
