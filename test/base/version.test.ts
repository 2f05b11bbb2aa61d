import * as fs from 'node:fs'
import { expect, test } from 'vitest'
import { CASKY_VERSION } from '../../src/base/version.ts'

test('the version that Casky tells is the one of its package', () => {
  const manifest = JSON.parse(fs.readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  expect(CASKY_VERSION).toBe(manifest.version)
})
