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

/** 'lie' reports success and does nothing: no fault that a store could survive, but what a judge of stores must notice. */
export type FaultKind = 'EIO' | 'ENOSPC' | 'EMFILE' | 'short' | 'lie'

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
  lie: ['write', 'sync', 'rename', 'unlink', 'syncDirectory'],
}

export class FaultPlan {
  calls = 0
  /** How many calls were failed; lies do not count. */
  fired = 0
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
      if (fault.kind !== 'lie') this.fired++
      return fault.kind
    }
    return null
  }
}
