// Both lists of directives as one map, by every name that is understood (an old name is an entry of the same directive).

import { directives } from './directives.ts'
import { inertGroups } from './inert.ts'
import type { Kind } from './kinds.ts'

/** One directive. Compared by identity. */
export interface Directive {
  readonly name: string
  readonly kind: Kind<unknown>
  readonly default: string
  readonly change: 'live' | 'start' | 'protected'
  /** Whether somebody must follow it (directives.ts) or nobody does (inert.ts). */
  readonly hasEffect: boolean
  readonly secret: boolean
}

export const table: ReadonlyMap<string, Directive> = build()

/** The directive of that name or alias, whatever its case. */
export function find(name: string): Directive | undefined {
  return table.get(name.toLowerCase())
}

function build(): Map<string, Directive> {
  const map = new Map<string, Directive>()
  for (const [name, row] of Object.entries(directives)) {
    map.set(name, { name, ...row, hasEffect: true })
  }
  for (const group of inertGroups) {
    for (const [name, row] of Object.entries(group.rows)) {
      const { kind, default: text, change } = row
      const secret = /(pass|masterauth|masteruser)$/.test(name)
      const directive: Directive = { name, kind, default: text, change, hasEffect: false, secret }
      for (const known of [name, ...row.aliases]) map.set(known, directive)
    }
  }
  return map
}
