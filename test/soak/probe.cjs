// Loaded into a server before its own code (node --require): on SIGUSR2 it collects garbage and appends one line of JSON to
// the file that CASKY_TEST_PROBE names: what the process holds that cannot be seen from outside.

const { appendFileSync } = require('node:fs')
const { setFlagsFromString } = require('node:v8')
const { runInNewContext } = require('node:vm')
const { isMainThread } = require('node:worker_threads')

const file = process.env.CASKY_TEST_PROBE
if (isMainThread && file) {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc')
  setFlagsFromString('--no-expose-gc')
  const leaked = []
  process.on('SIGUSR2', () => {
    // The counter-proof: a server that keeps a little of everything must be found out.
    if (process.env.CASKY_TEST_LEAK)
      leaked.push(
        Buffer.alloc(1024 * 1024, 1),
        setInterval(() => {}, 1e9),
        'x'.repeat(1e5).split(''),
      )
    collect()
    const { heapUsed, external, arrayBuffers } = process.memoryUsage()
    const handles = {}
    for (const name of process.getActiveResourcesInfo()) handles[name] = (handles[name] ?? 0) + 1
    appendFileSync(file, `${JSON.stringify({ heapUsed, external, arrayBuffers, handles })}\n`)
  })
}
