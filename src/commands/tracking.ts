// Client-side caching: switching it on, off and tuning it. What is remembered and who is told: server/tracking.ts.

import type { Slice } from '../base/slice.ts'
import type { Args } from '../resp/args.ts'
import { type Command, LOADING, NOSCRIPT, STALE } from './command.ts'
import { NOT_AN_INTEGER, SYNTAX_ERROR } from './errors.ts'
import { parseInteger } from './numbers.ts'
import type { Session, Tracking } from './session.ts'
import { isWord } from './words.ts'

const ANY_TIME = NOSCRIPT | LOADING | STALE

/** They belong to CLIENT. */
export const trackingSubcommands = [
  {
    name: 'CLIENT|TRACKING',
    arity: -3,
    flags: ANY_TIME,
    keys: null,
    run: tracking,
    summary: 'Switches on or off that the connection is told when keys that it has read change.',
    since: '6.0.0',
    group: 'connection',
    complexity: 'O(N) for N prefixes.',
    difference:
      'Invalidations stand between replies only. Who leaves 64 MiB of them unread is closed, also without an output limit. ' +
      'Beyond tracking-table-max-keys, or an eighth of the heap, the oldest key is given up.',
  },
  {
    name: 'CLIENT|CACHING',
    arity: 3,
    flags: ANY_TIME,
    keys: null,
    run: caching,
    summary: 'Says whether the keys of the next command are remembered.',
    since: '6.0.0',
    group: 'connection',
    complexity: 'O(1)',
  },
  {
    name: 'CLIENT|GETREDIR',
    arity: 2,
    flags: ANY_TIME,
    keys: null,
    run: (session) => session.reply.integer(session.tracking?.redirect ?? -1),
    summary: 'Returns the number of the connection that is told instead; 0 for none, -1 when nobody is told.',
    since: '6.0.0',
    group: 'connection',
    complexity: 'O(1)',
  },
  {
    name: 'CLIENT|TRACKINGINFO',
    arity: 2,
    flags: ANY_TIME,
    keys: null,
    run: trackingInfo,
    summary: 'Describes what the connection is told.',
    since: '6.2.0',
    group: 'connection',
    complexity: 'O(1)',
  },
] as const satisfies readonly Command[]

export const TRACKING_HELP = [
  'CACHING (YES|NO)',
  '    Remembers the keys of the next command, or does not (with OPTIN, with OPTOUT).',
  'GETREDIR',
  '    Returns the number of the connection that is told of changed keys instead of this one.',
  'TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]',
  '         [OPTIN] [OPTOUT] [NOLOOP]',
  '    Tells this connection when keys change that it has read, or that begin with a prefix.',
  'TRACKINGINFO',
  '    Describes what this connection is told.',
]

interface Wanted {
  redirect: number
  broadcast: boolean
  optIn: boolean
  optOut: boolean
  noLoop: boolean
  readonly prefixes: Set<string>
  /** As given, for messages: twice the same is an overlap too. */
  readonly given: string[]
}

function tracking(session: Session, args: Args): void {
  const { reply, server } = session
  const wanted = parseOptions(session, args)
  if (wanted === null) return
  if (isWord(args.at(2), 'OFF')) {
    server.tracking.disable(session)
    return reply.ok()
  }
  if (!isWord(args.at(2), 'ON')) return reply.error(SYNTAX_ERROR)
  const objection = objectionTo(wanted, session.tracking)
  if (objection !== null) return reply.error(`ERR ${objection}`)
  const { given, ...options } = wanted
  if (wanted.broadcast && given.length === 0) options.prefixes.add('')
  server.tracking.enable(session, options)
  reply.ok()
}

/** null: the client has been told what is wrong with them. */
function parseOptions(session: Session, args: Args): Wanted | null {
  const { reply, server } = session
  const wanted: Wanted = {
    redirect: 0,
    broadcast: false,
    optIn: false,
    optOut: false,
    noLoop: false,
    prefixes: new Set(),
    given: [],
  }
  for (let i = 3; i < args.count; i++) {
    const option = args.at(i)
    const hasMore = i + 1 < args.count
    if (isWord(option, 'REDIRECT') && hasMore) {
      const error = redirect(wanted, args.at(++i), (id) => server.sessionById(id) !== undefined)
      if (error !== null) {
        reply.error(error)
        return null
      }
    } else if (isWord(option, 'PREFIX') && hasMore) {
      const prefix = args.at(++i).key()
      wanted.prefixes.add(prefix)
      wanted.given.push(prefix)
    } else if (isWord(option, 'BCAST')) wanted.broadcast = true
    else if (isWord(option, 'OPTIN')) wanted.optIn = true
    else if (isWord(option, 'OPTOUT')) wanted.optOut = true
    else if (isWord(option, 'NOLOOP')) wanted.noLoop = true
    else {
      reply.error(SYNTAX_ERROR)
      return null
    }
  }
  return wanted
}

function redirect(wanted: Wanted, argument: Slice, isThere: (id: number) => boolean): string | null {
  if (wanted.redirect !== 0) return 'ERR A client can only redirect to a single other client'
  const id = parseInteger(argument)
  if (id === null) return NOT_AN_INTEGER
  if (!isThere(Number(id))) return 'ERR The client ID you want redirect to does not exist'
  wanted.redirect = Number(id)
  return null
}

/** What speaks against switching it on so, in Redis's order and words; null: nothing. */
function objectionTo(wanted: Wanted, current: Tracking | null): string | null {
  const { broadcast, optIn, optOut, given } = wanted
  if (!broadcast && given.length > 0) return 'PREFIX option requires BCAST mode to be enabled'
  if (current !== null && current.broadcast !== broadcast) {
    return (
      "You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a " +
      'different mode.'
    )
  }
  if (broadcast && (optIn || optOut)) return 'OPTIN and OPTOUT are not compatible with BCAST'
  if (optIn && optOut) return "You can't specify both OPTIN mode and OPTOUT mode"
  if (current !== null && ((optIn && current.optOut) || (optOut && current.optIn))) {
    return (
      "You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a " +
      'different mode.'
    )
  }
  return broadcast ? overlap(given, current) : null
}

/** One key must not be told twice to one client, so its prefixes must not be beginnings of each other. */
function overlap(given: readonly string[], current: Tracking | null): string | null {
  const existing = [...(current?.prefixes ?? [])].sort()
  const i = firstToOverlap(given, existing)
  const prefix = given[i]
  if (prefix === undefined) return null
  const known = existing.find((one) => meet(one, prefix))
  if (known !== undefined) return overlaps(prefix, 'an existing', known)
  return overlaps(prefix, 'another provided', given.find((other, n) => n > i && meet(prefix, other))!)
}

/**
 * Which of the given comes first of those that overlap with an existing one, or with one given after it, as Redis goes through them; -1: none.
 * Sorted, all that begin with a prefix stand right behind it: there may be a hundred thousand.
 */
function firstToOverlap(given: readonly string[], existing: readonly string[]): number {
  const all = [
    ...existing.map((text) => ({ text, at: Number.POSITIVE_INFINITY })),
    ...given.map((text, at) => ({ text, at })),
  ]
  all.sort((a, b) => (a.text < b.text ? -1 : a.text > b.text ? 1 : 0))
  const beginnings: { text: string; first: number }[] = [] // of the one looked at, each a beginning of the next
  let first = Number.POSITIVE_INFINITY
  for (const { text, at } of all) {
    while (beginnings.length > 0 && !text.startsWith(beginnings.at(-1)!.text)) beginnings.pop()
    const before = beginnings.at(-1)?.first ?? null
    if (before !== null) first = Math.min(first, before, at)
    beginnings.push({ text, first: Math.min(before ?? at, at) })
  }
  return first === Number.POSITIVE_INFINITY ? -1 : first
}

function meet(a: string, b: string): boolean {
  return a.startsWith(b) || b.startsWith(a)
}

function overlaps(prefix: string, which: string, other: string): string {
  return `Prefix '${prefix}' overlaps with ${which} prefix '${other}'. Prefixes for a single client must not overlap.`
}

function caching(session: Session, args: Args): void {
  const { reply, tracking: current } = session
  if (current === null) {
    return reply.error(
      'ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled',
    )
  }
  const word = args.at(2)
  if (isWord(word, 'YES')) {
    if (!current.optIn)
      return reply.error('ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.')
  } else if (isWord(word, 'NO')) {
    if (!current.optOut)
      return reply.error('ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.')
  } else return reply.error(SYNTAX_ERROR)
  current.caching = true
  reply.ok()
}

function trackingInfo(session: Session): void {
  const { reply, tracking: current } = session
  const flags = current === null ? ['off'] : flagsOf(current)
  const prefixes = [...(current?.prefixes ?? [])].sort()
  reply.map(3)
  reply.bulkText('flags')
  reply.set(flags.length)
  for (const flag of flags) reply.bulkText(flag)
  reply.bulkText('redirect')
  reply.integer(current?.redirect ?? -1)
  reply.bulkText('prefixes')
  reply.array(prefixes.length)
  for (const prefix of prefixes) {
    const bytes = Buffer.from(prefix, 'latin1')
    reply.bulk(bytes, 0, bytes.length)
  }
}

function flagsOf({ broadcast, optIn, optOut, caching: isGiven, noLoop, isBroken }: Tracking): string[] {
  const flags = ['on']
  if (broadcast) flags.push('bcast')
  if (optIn) flags.push('optin')
  if (optIn && isGiven) flags.push('caching-yes')
  if (optOut) flags.push('optout')
  if (optOut && isGiven) flags.push('caching-no')
  if (noLoop) flags.push('noloop')
  if (isBroken) flags.push('broken_redirect')
  return flags
}
