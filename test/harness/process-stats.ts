// What the kernel says about a process: its memory and the time it has used; and about the machine's processors. Linux only, by /proc.

import { readFileSync } from 'node:fs'

/** Resident memory in bytes. */
export function residentBytes(pid: number): number {
  return statusKib(pid, 'VmRSS') * 1024
}

/** The highest resident memory so far, in bytes. */
export function peakResidentBytes(pid: number): number {
  return statusKib(pid, 'VmHWM') * 1024
}

/** Processor time used by all its threads, in ms (the kernel counts in steps of 10). */
export function cpuMs(pid: number): number {
  return ticksMs(`/proc/${pid}/stat`, 14)
}

/** The same, of its main thread alone. */
export function mainThreadMs(pid: number): number {
  return ticksMs(`/proc/${pid}/task/${pid}/stat`, 14)
}

/** Processor time that all children of this process have used which have ended, in ms. */
export function endedChildrenMs(): number {
  return ticksMs('/proc/self/stat', 16)
}

/** The time for users and for the kernel: that field of proc(5)'s table and the next one. */
function ticksMs(path: string, field: number): number {
  const text = readFileSync(path, 'latin1')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ') // from field 3 on; the name may hold spaces
  return (Number(fields[field - 3]) + Number(fields[field - 2])) * 10
}

export interface ProcessorTimes {
  readonly usedMs: number
  readonly stolenMs: number
}

/** Of all processors since the machine has started: the time in which they were wanted, and how much of it a host has given to others. */
export function processorTimes(): ProcessorTimes {
  // cpu user nice system idle iowait irq softirq steal: in steps of 10 ms
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = readFileSync('/proc/stat', 'latin1')
    .split('\n')[0]!
    .split(/\s+/)
    .slice(1)
    .map(Number)
  return { usedMs: (user + nice + system + irq + softirq + steal) * 10, stolenMs: steal * 10 }
}

/** The part of the wanted time between two looks that a host has taken, 0 to 1. */
export function stolenShare(began: ProcessorTimes, ended: ProcessorTimes): number {
  return (ended.stolenMs - began.stolenMs) / Math.max(1, ended.usedMs - began.usedMs)
}

function statusKib(pid: number, field: string): number {
  const line = readFileSync(`/proc/${pid}/status`, 'latin1')
    .split('\n')
    .find((one) => one.startsWith(`${field}:`))
  return Number(line?.split(/\s+/)[1] ?? Number.NaN)
}
