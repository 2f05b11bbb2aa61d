// The shim's other end: builds it (shim.c says what it does), makes the control file, sets rules, reads what was called.
//
// The server maps the control file, so a rule counts from the next call on; no message is sent.

import { execFileSync } from 'node:child_process'
import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const SOURCE = fileURLToPath(new URL('shim.c', import.meta.url))

/** In the order of shim.c's `enum kind`. */
export const CALLS = [
  'open',
  'create',
  'read',
  'write',
  'sync',
  'syncDirectory',
  'size',
  'close',
  'rename',
  'unlink',
  'makeDirectory',
  'list',
  'space',
] as const
export type CallKind = (typeof CALLS)[number]

/** In the order of shim.c's `enum action`, after "nothing". */
const ACTIONS = [
  'fail',
  'short',
  'kill before',
  'kill half-way',
  'kill after',
  'lie: nothing',
  'lie: half',
  'lie: others',
  'delay',
  'hold',
] as const
export type Action = (typeof ACTIONS)[number]

export interface Rule {
  readonly action: Action
  readonly kinds: readonly CallKind[]
  /** The first call that it may happen to, from 1 on. Default: the next one. */
  readonly from?: number
  /** To how many calls. Default: for ever. */
  readonly times?: number
  /** Of `fail` and `short`. */
  readonly error?: 'EIO' | 'ENOSPC' | 'EMFILE' | 'EDQUOT'
  /** Of `delay`. */
  readonly ms?: number
  /** How the file's name, below the directory, ends. Default: any. */
  readonly ending?: string
}

/** A call that was made: what befell it, and with which errno it ended (0: none). */
export interface Called {
  readonly number: number
  readonly kind: CallKind
  readonly name: string
  readonly bytes: number
  readonly action: Action | null
  readonly errno: number
}

const FIRED_AT = 8
const HELD_AT = 16
const GATE_AT = 20
const RULES_AT = 64
const RULE_BYTES = 64
export const MAX_RULES = 16
const RING_AT = 4096
const CALL_BYTES = 64
const RING = 16_384
const NAME_BYTES = 40
const FOR_EVER = 0xffffffff

let library: Buffer | undefined

/** The shim, built once a process. Throws with the compiler's words. */
function shimLibrary(): Buffer {
  if (library !== undefined) return library
  const folder = mkdtempSync(join(tmpdir(), 'casky-shim-'))
  try {
    const made = join(folder, 'shim.so')
    execFileSync('cc', ['-shared', '-fPIC', '-O1', '-Wall', '-Werror', '-o', made, SOURCE, '-ldl'], { stdio: 'pipe' })
    library = readFileSync(made)
    return library
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

export class Shim {
  /** What a server needs in its environment to be under this control. */
  readonly env: Readonly<Record<string, string>>
  private readonly folder: string
  private readonly descriptor: number
  private rules = 0

  /** `directory`: whose calls are seen, as the server names it. */
  constructor(directory: string) {
    this.folder = mkdtempSync(join(tmpdir(), 'casky-control-'))
    const path = join(this.folder, 'control')
    this.descriptor = openSync(path, 'w+', 0o600)
    ftruncateSync(this.descriptor, RING_AT + RING * CALL_BYTES)
    const preload = join(this.folder, 'shim.so')
    writeFileSync(preload, shimLibrary())
    this.env = { LD_PRELOAD: preload, FAULTS_DIR: directory, FAULTS_CONTROL: path }
  }

  /** Adds a rule; the first that fits a call is what befalls it. Returns the rule's number. */
  add(rule: Rule): number {
    if (this.rules === MAX_RULES) throw new Error(`no more than ${MAX_RULES} rules`)
    const bytes = Buffer.alloc(RULE_BYTES)
    let kinds = 0
    for (const kind of rule.kinds) kinds |= 1 << CALLS.indexOf(kind)
    bytes.writeUInt32LE(kinds, 4)
    bytes.writeBigUInt64LE(BigInt(rule.from ?? 1), 8)
    bytes.writeUInt32LE(rule.times ?? FOR_EVER, 16)
    bytes.writeInt32LE(rule.ms ?? constants.errno[rule.error ?? 'EIO'], 20)
    bytes.write(rule.ending ?? '', 24, NAME_BYTES, 'latin1')
    const at = RULES_AT + this.rules * RULE_BYTES
    writeSync(this.descriptor, bytes, 4, RULE_BYTES - 4, at + 4)
    this.putUint32(at, ACTIONS.indexOf(rule.action) + 1) // last: from now on it counts
    return this.rules++
  }

  /** Nothing befalls anybody from now on; calls that wait go on. */
  heal(): void {
    for (let i = 0; i < this.rules; i++) this.putUint32(RULES_AT + i * RULE_BYTES, 0)
    this.rules = 0
    this.openGate()
  }

  /** Calls to which `hold` happens wait from now on. */
  closeGate(): void {
    this.putUint32(GATE_AT, 1)
  }

  openGate(): void {
    this.putUint32(GATE_AT, 0)
  }

  /** How many calls were made, by all processes under this control. */
  get calls(): number {
    return Number(this.get(0, 8).readBigUInt64LE())
  }

  /** To how many calls something was done. */
  get fired(): number {
    return Number(this.get(FIRED_AT, 8).readBigUInt64LE())
  }

  /** How many calls wait at the gate. */
  get held(): number {
    return this.get(HELD_AT, 4).readUInt32LE()
  }

  /** The calls made, in order; of very many the last ones. */
  history(): Called[] {
    const count = this.calls
    const bytes = this.get(RING_AT, RING * CALL_BYTES)
    const found: Called[] = []
    for (let number = Math.max(1, count - RING + 1); number <= count; number++) {
      const at = ((number - 1) % RING) * CALL_BYTES
      const action = bytes.readUInt32LE(at + 12)
      const name = bytes.toString('latin1', at + 24, at + 24 + NAME_BYTES)
      found.push({
        number,
        kind: CALLS[bytes.readUInt32LE(at + 8)]!,
        name: name.slice(0, name.indexOf('\0')),
        bytes: bytes.readUInt32LE(at + 16),
        action: action === 0 ? null : ACTIONS[action - 1]!,
        errno: bytes.readInt32LE(at + 20),
      })
    }
    return found
  }

  close(): void {
    closeSync(this.descriptor)
    rmSync(this.folder, { recursive: true, force: true })
  }

  private get(at: number, length: number): Buffer {
    const bytes = Buffer.alloc(length)
    readSync(this.descriptor, bytes, 0, length, at)
    return bytes
  }

  private putUint32(at: number, value: number): void {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32LE(value)
    writeSync(this.descriptor, bytes, 0, 4, at)
  }
}
