// A map of names to texts and whole numbers: how Casky's own commands tell what they are doing.

import type { Session } from './session.ts'

/** Replies with the pairs in their order. Numbers are rounded. */
export function replyWithFields(session: Session, fields: readonly (readonly [string, string | number])[]): void {
  const { reply } = session
  reply.map(fields.length)
  for (const [name, value] of fields) {
    reply.bulkText(name)
    if (typeof value === 'string') reply.bulkText(value)
    else reply.integer(Math.round(value))
  }
}
