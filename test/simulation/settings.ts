// The settings of short stories on a simulated disk: small segments, and nothing that happens by itself.

import type { EngineSettings } from '../../src/engine/engine.ts'
import { settings } from '../engine/test-store.ts'

export function storySettings(words: Pick<EngineSettings, 'appendfsync' | 'segmentSizeBytes'>): EngineSettings {
  const deadBytes = 100_000
  return {
    ...settings,
    valueCacheBytes: 0,
    mergeIntervalMs: 1000,
    mergeTriggerDeadBytes: deadBytes,
    mergeThresholdDeadBytes: deadBytes,
    ...words,
  }
}
