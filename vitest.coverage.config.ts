import { defineConfig } from 'vitest/config'
import everything from './vitest.config.ts'

// `npm run coverage`: no branch of the files that stand between a byte and its loss is without a test. The engine's own tests must do it,
// without the simulator's luck. Merges and hints run in line there, so what the worker's thread does is seen as well: it is the same task
// (src/engine/background.ts). A branch that cannot be taken is an assertion, or goes; none is passed over.
const MUST_BE_WHOLE = [
  'src/engine/record.ts',
  'src/engine/hint.ts',
  'src/engine/manifest.ts',
  'src/engine/recovery.ts',
  'src/engine/log-end.ts',
  'src/engine/replay.ts',
  'src/engine/quarantine.ts',
  'src/engine/merge.ts',
  'src/engine/merger.ts',
  'src/engine/living.ts',
  'src/engine/verdicts.ts',
  'src/engine/undo.ts',
  'src/resp/request.ts',
  'src/resp/args.ts',
]

export default defineConfig({
  test: {
    ...everything.test,
    include: ['test/engine/*.test.ts', 'test/resp/request*.test.ts', 'test/resp/look-ahead.test.ts'],
    // Its threads run from dist.
    exclude: ['test/engine/directory.test.ts'],
    reporters: [['default', { summary: false }]],
    coverage: {
      enabled: true,
      provider: 'v8',
      include: MUST_BE_WHOLE,
      reporter: ['text'],
      reportOnFailure: true,
      thresholds: { branches: 100, functions: 100, lines: 100, statements: 100 },
    },
  },
})
