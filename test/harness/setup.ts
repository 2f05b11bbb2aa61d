// Before each test file: properties, too, have one seed in CI (seed.ts).

import { seedOfCi } from './seed.ts'

if (seedOfCi !== null) {
  const { configureGlobal, readConfigureGlobal } = await import('fast-check')
  configureGlobal({ ...readConfigureGlobal(), seed: seedOfCi })
}
