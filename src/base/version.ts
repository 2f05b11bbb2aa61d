// The two versions Casky has: its own, and that of the Redis whose commands and texts it follows. Clients choose features by
// the second one (CLIENT SETINFO came with 7.2), people ask for the first. A test holds the first and package.json together.

export const CASKY_VERSION = '0.1.0'
export const REDIS_VERSION = '7.2.0'
