// Assertions state what only our own mistake can break, and stay on in production: a wrong program that stops loses less
// than one that goes on. What the world can break (bytes, disks, clients) is never asserted, it is handled.

export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message)
}

export class AssertionError extends Error {
  constructor(message: string) {
    super(`assertion failed: ${message}`)
    this.name = 'AssertionError'
  }
}
