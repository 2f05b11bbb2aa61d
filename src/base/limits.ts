// A limit on everything, each with its reason. What depends on the configuration lives there; these are the format's and ours.

/** Keys: their bytes live in memory for ever, so a larger one is a mistake (Redis: 512 MB). A stated difference. */
export const MAX_KEY_BYTES = 1024 * 1024
/** Values: a u32 holds more, but one record must be readable in one piece. Redis: proto-max-bulk-len, 512 MB by default. */
export const MAX_VALUE_BYTES = 1024 * 1024 * 1024
/** One atomic batch (EXEC, MSET): it is written in one piece into one segment. */
export const MAX_BATCH_BYTES = 1024 * 1024 * 1024
/** Offsets are u32: no segment grows beyond this, whatever segment-size says. */
export const MAX_SEGMENT_BYTES = 0xf000_0000
/** What segment-size may ask for: a segment of that size still takes the largest batch before its offsets end. */
export const MAX_SEGMENT_SIZE = 2 * 1024 * 1024 * 1024
/** Segments of a store: a slot of theirs fits 18 bits of an entry. With segments of 64 KiB that is 16 GiB, so it can be reached. */
export const MAX_SEGMENTS = 2 ** 18
/** Unreleased bytes (appended, not yet acknowledged) at which writes are parked. */
export const MAX_UNRELEASED_BYTES = 64 * 1024 * 1024
/** everysec: the age of the oldest acknowledged, unsynced byte at which writes are parked. Redis's two seconds. */
export const MAX_UNSYNCED_MS = 2000
