import { defineConfig } from 'vitest/config'

// Two cores: more workers than that only make the tests of a real server slower and their timeouts nervous.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/clients/**', 'test/bench/micro/**', '**/node_modules/**'],
    setupFiles: ['test/harness/setup.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 180_000, // a hang, on a machine however busy; no judgement of speed
    hookTimeout: 180_000,
    teardownTimeout: 10_000,
    expect: { poll: { timeout: 120_000 } },
  },
})
