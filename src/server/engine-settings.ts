// Which directives are the engine's, and what they are called there.

import type { Config } from '../config/config.ts'
import type { Engine, EngineSettings } from '../engine/engine.ts'

export function engineSettings(config: Config): EngineSettings {
  return {
    appendfsync: config.get('appendfsync'),
    segmentSizeBytes: config.get('segment-size'),
    segmentAgeSeconds: config.get('segment-age'),
    valueCacheBytes: config.get('value-cache-size'),
    mergeEnabled: config.get('merge-enabled'),
    mergeIntervalMs: config.get('merge-interval-ms'),
    mergeWindow: config.get('merge-window'),
    mergeRateBytesPerSecond: config.get('merge-rate'),
    mergeTriggerFragmentation: config.get('merge-trigger-fragmentation'),
    mergeTriggerSegments: config.get('merge-trigger-segments'),
    mergeTriggerDeadBytes: config.get('merge-trigger-dead-bytes'),
    mergeThresholdFragmentation: config.get('merge-threshold-fragmentation'),
    mergeThresholdDeadBytes: config.get('merge-threshold-dead-bytes'),
    mergeThresholdSmallFile: config.get('merge-threshold-small-file'),
    scrubRateBytesPerSecond: config.get('scrub-rate'),
  }
}

/** CONFIG SET of one of them reaches the engine. */
export function followSettings(config: Config, engine: Engine): void {
  config.onChange(
    [
      'appendfsync',
      'segment-size',
      'segment-age',
      'value-cache-size',
      'merge-enabled',
      'merge-interval-ms',
      'merge-window',
      'merge-rate',
      'merge-trigger-fragmentation',
      'merge-trigger-segments',
      'merge-trigger-dead-bytes',
      'merge-threshold-fragmentation',
      'merge-threshold-dead-bytes',
      'merge-threshold-small-file',
      'scrub-rate',
    ],
    () => {
      engine.configure(engineSettings(config))
      return null
    },
  )
}
