// Faults: which call of the simulated disk fails, and how.
//
// Calls are counted from 1. A fault fires at the first call from `at` on that its kind can happen to, once or at every such
// call for ever. A test that counts the calls of a clean run can so fail each of them in turn.

export type CallKind =
  | 'open'
  | 'create'
  | 'read'
  | 'write'
  | 'sync'
  | 'size'
  | 'close'
  | 'list'
  | 'rename'
  | 'unlink'
  | 'makeDirectory'
  | 'syncDirectory'
  | 'space'

/**
 * 'lie' reports success and does nothing: no fault that a store could survive, but what a judge of stores must notice. A write may also lie by
 * half ('lie half': only its first half has landed) or with other bytes ('lie other'); and a read may, of what it says it has put into the buffer.
 */
export type FaultKind = 'EIO' | 'ENOSPC' | 'EMFILE' | 'short' | Lie

export type Lie = 'lie' | 'lie half' | 'lie other'
export const LIES: readonly Lie[] = ['lie', 'lie half', 'lie other']

export interface Fault {
  readonly at: number
  readonly kind: FaultKind
  readonly forever?: boolean
  /** Narrows the calls it may happen to. */
  readonly only?: (call: CallKind, name: string) => boolean
}

const HAPPENS_TO: Record<FaultKind, readonly CallKind[]> = {
  EIO: [
    'open',
    'create',
    'read',
    'write',
    'sync',
    'size',
    'list',
    'rename',
    'unlink',
    'makeDirectory',
    'syncDirectory',
  ],
  ENOSPC: ['create', 'write', 'sync', 'rename', 'makeDirectory'],
  EMFILE: ['open', 'create', 'list'],
  short: ['write'],
  lie: ['read', 'write', 'sync', 'rename', 'unlink', 'syncDirectory'],
  'lie half': ['read', 'write'],
  'lie other': ['read', 'write'],
}

export const isLie = (kind: FaultKind): kind is Lie => (LIES as readonly string[]).includes(kind)

export class FaultPlan {
  calls = 0
  /** How many calls were failed, and at how many was lied; and the name that was last. */
  fired = 0
  lied = 0
  last = ''
  #faults: Fault[] = []

  add(fault: Fault): void {
    this.#faults.push(fault)
  }

  /** Every such call of this disk pretends from now on. */
  lieAbout(only: (call: CallKind, name: string) => boolean): void {
    this.add({ at: 0, kind: 'lie', forever: true, only })
  }

  clear(): void {
    this.#faults = []
  }

  /** Counts a call; returns what befalls it, or null. */
  next(call: CallKind, name: string): FaultKind | null {
    this.calls++
    for (const fault of this.#faults) {
      if (this.calls < fault.at || !HAPPENS_TO[fault.kind].includes(call)) continue
      if (fault.only !== undefined && !fault.only(call, name)) continue
      if (fault.forever !== true) this.#faults = this.#faults.filter((other) => other !== fault)
      if (isLie(fault.kind)) this.lied++
      else this.fired++
      this.last = name
      return fault.kind
    }
    return null
  }
}
