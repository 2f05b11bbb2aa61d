import { expect, test } from 'vitest'
import * as badEngines from './bad-engines.ts'
import { powerCuts } from './power-cuts.ts'

// The judge must be able to condemn. The engine runs on a disk that leaves something out while it says it did it, which is the same as
// an engine that forgot to ask; each such loss has to be noticed within a few hundred crashes.

const CUTS = 400
/** What a bad engine does wrong takes some merges to show: seeds that come to it soon. */
const CUTS_OF_ENGINES = 1000
const SEED_OF_ENGINES = 47_200

test.each([
  ['data is never synced', 'sync', /\.data$/],
  ['the manifest is not synced before it is renamed', 'sync', /^MANIFEST/],
  ['the directory is never synced', 'syncDirectory', /^$/],
  ['the manifest is never renamed', 'rename', /^MANIFEST/],
  ['data is never written', 'write', /\.data$/],
] as const)('condemned: %s', (_, sabotaged, names) => {
  const run = (): unknown =>
    powerCuts({ count: CUTS, seed: 1, mischief: { sabotage: (call, name) => call === sabotaged && names.test(name) } })
  expect(run).toThrow('replay: CASKY_TEST_SEED')
})

// So must the mistakes of other engines be, made by this one.
test.each([
  ['a merge drops every tombstone', badEngines.dropsTombstones],
  ['a merge does not copy touches', badEngines.forgetsTouches],
  ['a merge loses records', badEngines.losesRecords],
  ['hints have no tombstones', badEngines.hintsWithoutTombstones],
  ['hints have no touches', badEngines.hintsWithoutTouches],
] as const)('condemned: %s', (_, background) => {
  const run = (): unknown =>
    powerCuts({ count: CUTS_OF_ENGINES, seed: SEED_OF_ENGINES, mischief: { background, fault: null } })
  expect(run).toThrow('replay: CASKY_TEST_SEED')
})

// And it must not condemn what a store has to live with: a hint is a cache.
test.each([
  ['write', /\.hint/],
  ['sync', /\.hint/],
  ['rename', /\.hint/],
] as const)('acquitted: the %s of hints does nothing', (sabotaged, names) => {
  const sabotage = (call: string, name: string): boolean => call === sabotaged && names.test(name)
  expect(powerCuts({ count: 100, seed: 5_000_000, mischief: { sabotage } }).cuts).toBeGreaterThanOrEqual(100)
})
