// Long runs of what `npm test` does briefly. Each prints its seed first, stops by itself, and exits 1 when anything was wrong.
//
//   npm run soak -- power-cuts N [--seed S] [--workers W] simulated power cuts (test/simulation)
//   npm run soak -- sequences [--length 3]              all sequences of operations, crashed at every instant
//   npm run soak -- double-faults [--seed S] [--stride N] the k-th simulated file call fails, then the j-th: all pairs
//   npm run soak -- lies [--seed S] [--stride N]          each simulated write lies: nothing, half or other bytes land
//   npm run soak -- kill 10000 [--seed S] [--parallel P]  kill -9 of a real server under load (test/crash)
//   npm run soak -- real-faults [--sample N] [--seed S]   file calls of a real server fail, in every way (test/faults)
//   npm run soak -- fuzz 1000000 [seed]                   commands at random to Casky and redis-server (test/fuzz)
//   npm run soak -- decoder 10000000 [seed]               hostile bytes for the decoder (test/resp)
//   npm run soak -- linearizable 500 [--seed S]           32 clients on the same keys, killed so often (test/crash)
//   npm run soak -- mutants [NAME ...] [--count N --seed S] each patch of test/mutants must turn the tests red
//   npm run soak -- rot [--seed S] [--share N]            every bit, block, length and file of a data set goes bad (test/rot)
//   npm run soak -- lock 1000 [--seed S]                  races for the lock of one directory (test/lock)
//   npm run soak -- endurance --minutes 120 [--seed S]    hours under load and trouble: what is held stays flat

import { fuzz } from '../fuzz/fuzz.ts'
import { soakDecoder } from './decoder.ts'
import { soakSimulatedFaults } from './double-faults.ts'
import { soakEndurance } from './endurance.ts'
import { soakKill } from './kill.ts'
import { soakLinearizable } from './linearizable.ts'
import { soakLock } from './lock.ts'
import { soakMutants } from './mutants.ts'
import { soakPowerCuts } from './power-cuts.ts'
import { soakRealFaults } from './real-faults.ts'
import { soakRot } from './rot.ts'
import { soakSequences } from './sequences.ts'

async function main([what = '', count = '', ...rest]: string[]): Promise<number> {
  if (what === 'kill') return soakKill([count, ...rest])
  if (what === 'endurance') return soakEndurance([count, ...rest])
  if (what === 'lock') return soakLock([count, ...rest])
  if (what === 'rot') return soakRot(count === '' ? [] : [count, ...rest])
  if (what === 'mutants') return soakMutants(count === '' ? [] : [count, ...rest])
  if (what === 'linearizable') return soakLinearizable([count, ...rest])
  if (what === 'power-cuts') return soakPowerCuts([count, ...rest])
  if (what === 'sequences') return soakSequences([count, ...rest])
  if (what === 'double-faults' || what === 'lies') return soakSimulatedFaults(what, [count, ...rest])
  if (what === 'real-faults') return soakRealFaults(count === '' ? [] : [count, ...rest])
  const wanted = Number(count)
  if (!Number.isInteger(wanted) || wanted < 1) return usage()
  if (what === 'fuzz') return soakFuzz(wanted, seedOf(rest[0]))
  if (what === 'decoder') return soakDecoder(wanted, seedOf(rest[0]))
  return usage()
}

/** Half of the commands with Casky's defaults, half with every value on the disk. */
async function soakFuzz(count: number, seed: number): Promise<number> {
  console.log(`seed ${seed}`)
  let differences = 0
  for (const args of [[], ['--value-cache-size', '0']]) {
    const result = await fuzz({ commands: count / 2, seed, args, findings: 20, progress: (line) => console.log(line) })
    console.log(`${result.commands} commands of ${result.names.length} kinds, ${result.findings.length} differences`)
    differences += result.findings.length
  }
  return differences === 0 ? 0 : 1
}

const seedOf = (text: string | undefined): number =>
  text === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(text)

function usage(): number {
  console.error(
    'usage: npm run soak -- power-cuts COUNT [--seed S] [--workers W] | sequences ... | double-faults ... | lies ... | kill COUNT [--seed S] [--parallel P] | endurance --minutes M [--seed S] | lock RACES [--seed S] | rot [--seed S] [--share N] | mutants [NAME ...] [--count N --seed S] | linearizable KILLS [--seed S] | real-faults [--sample N] [--seed S] | fuzz COUNT [SEED] | decoder COUNT [SEED]',
  )
  return 2
}

process.exitCode = await main(process.argv.slice(2))
