// For crew.test.ts: a crew with a job that never ends. Its members are busy all the time, as those of the simulations are.

import { crew, member, report } from './crew.ts'

const BUSY_MS = 20

if (member() === null) {
  let told = 0
  await crew(import.meta.url, [], 2, () => {
    told++
    if (told === 10) console.log('they report')
  })
} else {
  for (;;) {
    const began = performance.now()
    while (performance.now() - began < BUSY_MS) {}
    await report({ kind: 'figures', figures: [] })
  }
}
