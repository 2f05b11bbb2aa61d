// The names of the types of values, as TYPE and SCAN TYPE say them.

const NAMES: readonly string[] = ['string', 'list', 'set', 'zset', 'hash', 'stream']

/** `type` as Engine.typeOf gives it. */
export function typeName(type: number): string {
  return NAMES[type] ?? 'unknown'
}
