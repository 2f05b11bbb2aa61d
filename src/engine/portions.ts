// Portions: how much long work does in one go before it lets others go on.
//
// In a server they are large, since each go costs something. A simulator makes them tiny: then merges that need three records, three
// questions and two turns are as ordinary as those of a server with millions, and what happens between two portions happens in tests.

export interface Portions {
  /** The log's newest bytes are held in blocks of this size; what one tick has appended is written block by block. */
  readonly blockBytes: number
  /** Records and bytes of one question of a merge: it costs its trip to a busy event loop and back. */
  readonly mergeRecords: number
  readonly mergeBytes: number
  /** What a merge writes at once, unless a record is larger. */
  readonly outputBytes: number
  /** A merge syncs its output after so much: a whole segment of dirty pages at once holds up everybody's writes, the log's as well. */
  readonly syncBytes: number
  /** Entries that are looked at in one turn for what lives of a merge's inputs. */
  readonly surveyedEntries: number
  /** Entries that a merge moves in one turn of the event loop. */
  readonly movedEntries: number
  /** Entries of flushed databases that are looked at in one turn. */
  readonly freedEntries: number
  /** Segments of so many bytes wait for their hint while it may be that they are merged first. */
  readonly hintsWaitBytes: number
  /** With more sealed data than this, a start has hints read by the background thread. A thread takes 50 ms to begin. */
  readonly hintsElsewhereBytes: number
}

export const PORTIONS: Portions = {
  blockBytes: 1024 * 1024,
  mergeRecords: 2048, // answering so many takes about a millisecond
  mergeBytes: 2 * 1024 * 1024,
  outputBytes: 1024 * 1024,
  syncBytes: 4 * 1024 * 1024,
  surveyedEntries: 8192, // 0.1 ms, with an expiry for each ten times as much
  movedEntries: 2000,
  freedEntries: 4096,
  hintsWaitBytes: 4 * 1024 * 1024, // a hint of less takes some 20 ms
  hintsElsewhereBytes: 8 * 1024 * 1024, // what is put in order here is so in one go: 1.2 million records would be a second
}
