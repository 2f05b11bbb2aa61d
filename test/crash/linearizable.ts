// Is the history of one key linearizable? That is: can each call be given one instant between its being sent and its
// being answered, so that calls carried out one after the other at these instants give exactly those answers?
//
// The search goes along the history (Lowe's just-in-time linearization of Wing and Gong's algorithm). It keeps every way
// things can stand: what the key holds, and which of the calls under way have had their instant already. Only when a call is
// answered does its instant have to have come: then each way in which it has not is continued by every order of calls
// under way that ends with this one. Ways that come to the same are one. No way left: the history is condemned, by the
// call at which that happened.
//
// A call whose answer never came (the server was killed) had its instant before the end of that server, or never.
//
// What keeps it small: a call that cannot have changed anything (a GET, a DEL that found nothing) takes its instant as soon as
// the answer fits, since nobody can tell; and a history is judged when all its answers are known, so that a way which
// contradicts a later answer dies early.

/** What a key holds: a value, or null for none. */
export type Held = string | null

export type Action =
  | { readonly kind: 'get' }
  | { readonly kind: 'set'; readonly value: string }
  | { readonly kind: 'setnx'; readonly value: string }
  /** Returns what was there. */
  | { readonly kind: 'getset'; readonly value: string }
  | { readonly kind: 'getdel' }
  /** Returns 1 or 0. */
  | { readonly kind: 'del' }
  /** Returns nothing worth judging. */
  | { readonly kind: 'clear' }
  | { readonly kind: 'incr'; readonly by: number }
  /** Returns the length. */
  | { readonly kind: 'append'; readonly suffix: string }

export type Answer = string | number | null

/** One call on one key. Times are positions in the history: a smaller one was earlier. */
export interface Call {
  readonly action: Action
  readonly sentAt: number
  /** When it was answered, or when it was known that it never will be. */
  endedAt: number
  /** Undefined: no answer came. */
  answer: Answer | undefined
  /** Who called, for messages. */
  readonly client: number
}

/** Ways kept at once. More means too many calls at a time on one key, and no verdict. */
const MAX_WAYS = 200_000
const TOO_MANY = 'too many ways to judge: fewer clients, or more keys'
/** Bits of a way's number: calls under way at once on one key. */
const MAX_UNDER_WAY = 30

/** What an action does to what is held, and the answer that this gives. */
export function perform(action: Action, held: Held): { readonly held: Held; readonly answer: Answer } {
  switch (action.kind) {
    case 'get':
      return { held, answer: held }
    case 'set':
      return { held: action.value, answer: 'OK' }
    case 'setnx':
      return held === null ? { held: action.value, answer: 1 } : { held, answer: 0 }
    case 'getset':
      return { held: action.value, answer: held }
    case 'getdel':
      return { held: null, answer: held }
    case 'del':
      return { held: null, answer: held === null ? 0 : 1 }
    case 'clear':
      return { held: null, answer: 'OK' }
    case 'incr': {
      const sum = Number(held ?? 0) + action.by
      return { held: String(sum), answer: sum }
    }
    case 'append': {
      const value = (held ?? '') + action.suffix
      return { held: value, answer: value.length }
    }
  }
}

/** A call that, answered so, cannot have changed anything. */
const isIdle = ({ action, answer }: Call): boolean =>
  action.kind === 'get' ||
  (action.kind === 'getdel' && answer === null) ||
  ((action.kind === 'del' || action.kind === 'setnx') && answer === 0)

/** How things can stand. `done`: a bit for each call under way that has had its instant. */
interface Way {
  readonly held: Held
  readonly done: number
}

const nameOf = ({ held, done }: Way): string => (held === null ? `${done}` : `${done}=${held}`)

/** The judge of one key, from an empty one on. Histories are given in parts, each ending at a moment with nothing under way. */
export class KeyJudge {
  private ways = new Map<string, Way>()
  /** By bit: the calls under way. */
  private readonly underWay: Array<Call | undefined> = []

  constructor(held: Held = null) {
    this.keep({ held, done: 0 })
  }

  /** What the key may hold now. */
  get possible(): Held[] {
    return [...new Set([...this.ways.values()].map((way) => way.held))]
  }

  /**
   * Judges the next part of the history. Returns undefined, or what is wrong with it.
   * @throws when too much was under way at once to be judged.
   */
  judge(calls: readonly Call[]): string | undefined {
    const events = calls.flatMap((call) => [
      { at: call.sentAt, call, isEnd: false },
      { at: call.endedAt, call, isEnd: true },
    ])
    events.sort((a, b) => a.at - b.at || Number(a.isEnd) - Number(b.isEnd))
    for (const { call, isEnd } of events) {
      if (!isEnd) {
        this.begin(call)
        continue
      }
      const before = this.possible
      this.end(call)
      if (this.ways.size === 0) return accuse(call, calls, before)
    }
    return undefined
  }

  private begin(call: Call): void {
    const free = this.underWay.indexOf(undefined)
    const bit = free < 0 ? this.underWay.length : free
    if (bit >= MAX_UNDER_WAY) throw new Error(`more than ${MAX_UNDER_WAY} calls at once on one key cannot be judged`)
    this.underWay[bit] = call
    if (!isIdle(call)) return
    const ways = [...this.ways.values()]
    this.ways = new Map()
    for (const way of ways) this.keep(way)
  }

  private end(call: Call): void {
    const bit = this.underWay.indexOf(call)
    const mask = 1 << bit
    const after: Way[] = []
    // What has been gone through from here, whatever way led to it.
    const seen = new Map<string, Way>()
    const open: Way[] = []
    const visit = (way: Way): void => {
      if ((way.done & mask) !== 0) after.push({ held: way.held, done: way.done & ~mask })
      else if (!seen.has(nameOf(way))) {
        seen.set(nameOf(way), way)
        open.push(way)
      }
    }
    for (const way of this.ways.values()) {
      if (call.answer === undefined && (way.done & mask) === 0) after.push(way) // it never happened
      visit(way)
    }
    for (let way = open.pop(); way !== undefined; way = open.pop()) {
      for (let other = 0; other < this.underWay.length; other++) {
        const next = this.take(way, other)
        if (next !== undefined) visit(this.settle(next))
      }
      if (seen.size > MAX_WAYS) throw new Error(TOO_MANY)
    }
    this.underWay[bit] = undefined
    this.ways = new Map()
    for (const way of after) this.keep(way)
  }

  /** This call's instant is now. Undefined: it has had it, its answer forbids it, or it would be no event. */
  private take(way: Way, bit: number): Way | undefined {
    const call = this.underWay[bit]
    if (call === undefined || (way.done & (1 << bit)) !== 0) return undefined
    const { held, answer } = perform(call.action, way.held)
    if (call.answer !== undefined && call.answer !== answer) return undefined
    if (call.answer === undefined && held === way.held) return undefined // never happening says the same
    return { held, done: way.done | (1 << bit) }
  }

  /** The same way, with every idle call that can have had its instant having had it. */
  private settle(way: Way): Way {
    let { done } = way
    for (let bit = 0; bit < this.underWay.length; bit++) {
      const call = this.underWay[bit]
      if (call !== undefined && isIdle(call) && this.take(way, bit) !== undefined) done |= 1 << bit
    }
    return { held: way.held, done }
  }

  private keep(way: Way): void {
    const settled = this.settle(way)
    this.ways.set(nameOf(settled), settled)
    if (this.ways.size > MAX_WAYS) throw new Error(TOO_MANY)
  }
}

/** The call that fits nowhere, what could have been held before it, and what was going on around it. */
function accuse(call: Call, calls: readonly Call[], before: readonly Held[]): string {
  const near = calls
    .filter((one) => one.endedAt >= call.sentAt - 40 && one.sentAt <= call.endedAt)
    .sort((a, b) => a.sentAt - b.sentAt)
    .slice(-30)
  const held = before.slice(0, 8).map((one) => JSON.stringify(one))
  return [
    `no order explains ${tell(call)}; the key can have held ${held.join(' or ')}. Around it:`,
    ...near.map((one) => `  ${tell(one)}`),
  ].join('\n')
}

const tell = ({ action, sentAt, endedAt, answer, client }: Call): string =>
  `[${sentAt}, ${endedAt}] client ${client}: ${JSON.stringify(action)} -> ${answer === undefined ? 'no answer' : JSON.stringify(answer)}`
