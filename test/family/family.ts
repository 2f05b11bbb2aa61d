// Bugs that Bitcask stores really had, the tests that would show them here, and the mutants that have them.
//
// A bug is a story in whichever file tests its matter; this table is where it can be looked up. family.test.ts holds it to the files: each
// test is there under that name, and each mutant names one of its files as the one that goes red (`npm run soak -- mutants`).

export interface Bug {
  /** What went wrong, and where it did. */
  readonly bug: string
  /** File, then the name of the test in it. */
  readonly tests: readonly (readonly [string, string])[]
  /** Names of patches in test/mutants. */
  readonly mutants: readonly string[]
}

const ENGINE = 'test/engine'
const REGRESSIONS = `${ENGINE}/regressions.test.ts`
const TOMBSTONES = `${ENGINE}/tombstones.test.ts`
const MERGES = `${ENGINE}/merge-cases.test.ts`
const RECOVERY = `${ENGINE}/recovery.test.ts`
const HINTS = `${ENGINE}/hint.test.ts`
const DIRECTORY = `${ENGINE}/directory.test.ts`
const ORDER = 'appendfsync %s: outputs, then log, then manifest, each durable; then the inputs go'

export const family: readonly Bug[] = [
  {
    bug: 'a tombstone dropped by a partial merge: the value is back after a restart (basho/bitcask #82, and four years of mending)',
    tests: [
      [TOMBSTONES, 'not dropped by a partial merge while an older value lies in a segment outside'],
      [TOMBSTONES, 'kept where the segment outside has no hint that could deny the key'],
      [MERGES, 'a tombstone whose older value lies outside in a segment that could not be hinted'],
    ],
    mutants: [
      'tombstone-dropped-by-partial-merge',
      'tombstone-dropped-without-a-filter',
      'tombstone-ignores-what-has-no-hint',
    ],
  },
  {
    bug: 'an expired record dropped by a merge: the older value is back',
    tests: [
      [REGRESSIONS, 'an expired record dropped by a partial merge: the older value does not come back'],
      [MERGES, 'a tombstone of a key that expired, while its older value lies in a segment outside'],
      [`${ENGINE}/expiry.test.ts`, 'a key once reported expired never returns, though the clock is put back'],
    ],
    mutants: ['tombstone-of-expiry-dropped', 'expired-key-comes-back'],
  },
  {
    bug: 'a delete or put racing a merge',
    tests: [
      [REGRESSIONS, 'a delete or put racing a merge: what was written while it ran is newer than what it copied'],
      [MERGES, 'start: %s; what was deleted, touched again, put back or swapped meanwhile is as it was left'],
    ],
    mutants: ['merge-moves-without-comparing', 'merge-moves-removed-entries', 'merge-moves-touches-blindly'],
  },
  {
    bug: 'the active file picked as an input of a merge',
    tests: [
      [REGRESSIONS, 'the active file is no input'],
      [MERGES, 'the active segment, however much of it is dead'],
    ],
    mutants: ['merge-takes-the-active-file'],
  },
  {
    bug: 'inputs deleted before the outputs were in place (barreldb, logkv-store, ccask): total loss',
    tests: [
      [REGRESSIONS, ORDER],
      ['test/simulation/regressions.test.ts', 'no file is removed for a manifest whose rename may still be lost'],
    ],
    mutants: ['merge-deletes-inputs-first', 'files-removed-before-the-manifest'],
  },
  {
    bug: 'a merge built in the folder for temporary files: its rename across devices fails',
    tests: [[REGRESSIONS, 'outputs are made where they stay: no rename of data, no other directory']],
    mutants: ['merge-builds-elsewhere'],
  },
  {
    bug: 'times to live lost in a merge',
    tests: [[`${ENGINE}/expiry.test.ts`, 'TTL and PERSIST by touch survive restarts and merges: value and touch %s']],
    mutants: ['merge-loses-touches', 'merge-forgets-the-expiry-flag'],
  },
  {
    bug: 'a hint that is wrong, stale or longer than the data',
    tests: [
      [HINTS, 'a hint with any damage, cut anywhere or longer than it was is none'],
      [HINTS, 'a hint of another segment, salt or length is none'],
      [HINTS, 'a hint made from a real segment says what the segment holds; of a damaged segment none is made'],
    ],
    mutants: ['hint-believed-unchecked', 'hint-of-another-segment', 'hint-of-another-length', 'hint-of-damaged-data'],
  },
  {
    bug: 'hints as the only thing read at a start (barreldb): what was written since the last one is gone',
    tests: [[RECOVERY, 'a hint is not all that is read: what was written since counts']],
    mutants: ['hint-is-all-that-is-read'],
  },
  {
    bug: 'records loaded without a look at their checksums (casky in C)',
    tests: [
      [`${ENGINE}/record.test.ts`, 'every single flipped bit of a record is noticed'],
      [RECOVERY, 'a bit flipped anywhere in what was never synced: a prefix up to it, never a wrong value'],
      [RECOVERY, 'of a %s, hint there: %s: an error for that key, never its older value, the rest readable'],
    ],
    mutants: ['head-crc-unchecked', 'value-crc-unchecked', 'crc-unchecked-at-load'],
  },
  {
    bug: 'a torn tail that stops the start',
    tests: [[RECOVERY, 'cut at any byte, what is left is a prefix, batches whole; and a second start says the same']],
    mutants: ['torn-tail-stops-the-start'],
  },
  {
    bug: 'a torn tail that is appended to',
    tests: [
      [RECOVERY, 'is never appended to: the file stays as it was, or goes as a whole'],
      [
        REGRESSIONS,
        'bytes written twice: every data file is only ever appended to, through failures, merges and restarts',
      ],
    ],
    mutants: ['failed-bytes-written-again'],
  },
  {
    bug: 'length fields outside of the checksum',
    tests: [[`${ENGINE}/record.test.ts`, 'every single flipped bit of a record is noticed']],
    mutants: ['lengths-outside-of-the-crc'],
  },
  {
    bug: 'tombstones in band: a value that is empty or begins with a magic word is a delete',
    tests: [[REGRESSIONS, 'in-band tombstones: no value and no length of it is a delete']],
    mutants: ['empty-value-is-a-delete'],
  },
  {
    bug: 'hints without tombstones (rosedb #258): deleted keys are back after merge, delete, merge, reopen',
    tests: [
      [TOMBSTONES, 'merge, delete, merge, restart: deleted stays deleted'],
      [HINTS, 'every record but anchors and batch ends is there, in order, with what a start needs of it'],
    ],
    mutants: ['hint-without-tombstones'],
  },
  {
    bug: 'a synced old value merged away because of a newer one that only the page cache held',
    tests: [[REGRESSIONS, ORDER]],
    mutants: ['merge-commits-before-the-log-is-synced'],
  },
  {
    bug: 'order by the wall clock',
    tests: [[REGRESSIONS, 'order by wall clock: the last write wins, though the clock went back between the writes']],
    mutants: ['ordered-by-the-wall-clock'],
  },
  {
    bug: 'locks that are only a pid, or a file that exists',
    tests: [
      [DIRECTORY, 'a second open fails at once with ELOCKED and writes nothing; after close it is free'],
      [DIRECTORY, 'another process holds it, and kill -9 sets it free'],
    ],
    mutants: ['lock-is-a-file-that-exists', 'lock-of-others-ignored'],
  },
  {
    bug: 'descriptors leaked at each open',
    tests: [[DIRECTORY, 'twenty opens and closes leave no descriptor behind, nor do refused ones']],
    mutants: ['descriptor-leaked-by-directory-syncs'],
  },
  {
    bug: 'one bad key, an endless loop of restarts',
    tests: [[RECOVERY, 'of a value: an error for that key, the rest readable']],
    mutants: ['one-bad-value-stops-the-start'],
  },
  {
    bug: 'lengths of 16 bits',
    tests: [[REGRESSIONS, '16-bit lengths, 32-bit times']],
    mutants: ['lengths-of-16-bits'],
  },
  {
    bug: 'times of 32 bits',
    tests: [
      [REGRESSIONS, '16-bit lengths, 32-bit times'],
      [HINTS, 'every record but anchors and batch ends is there, in order, with what a start needs of it'],
    ],
    mutants: ['times-of-32-bits', 'hint-loses-the-expiry'],
  },
  {
    bug: 'no sync of the directory',
    tests: [
      [REGRESSIONS, 'no directory sync: no segment, manifest or hint counts before its bytes and its name are durable'],
    ],
    mutants: [
      'manifest-renamed-unsynced',
      'manifest-name-not-synced',
      'segment-name-not-synced',
      'merge-syncs-no-names',
    ],
  },
  {
    bug: 'keys decoded as UTF-8',
    tests: [[REGRESSIONS, 'keys decoded as UTF-8: keys that differ in invalid bytes only are different keys']],
    mutants: ['keys-decoded-as-utf8'],
  },
  {
    bug: 'a slice of ten bytes that pins its chunk of 64 KiB',
    tests: [
      ['test/resp/request.test.ts', 'old arguments pin no buffer: after keep every slice has let go'],
      [`${ENGINE}/reads.test.ts`, 'a short value that was read does not pin a large buffer'],
    ],
    mutants: ['value-pins-its-chunk'],
  },
  {
    bug: 'a raw descriptor number used after close writes into another file',
    tests: [[REGRESSIONS, 'a raw descriptor used after close writes into another file: a closed file refuses']],
    mutants: ['closed-descriptor-used'],
  },
  {
    bug: '`n < length` from write ignored',
    tests: [
      [`${ENGINE}/task.test.ts`, 'a short write is a full disk, and is not continued'],
      [
        `${ENGINE}/failures.test.ts`,
        'a write fails (%s, synchronous: %s): everything unreleased is undone, in memory and after a restart',
      ],
    ],
    mutants: ['short-write-ignored', 'short-write-ignored-in-tasks'],
  },
  {
    bug: 'a reply sent twice for a SET that failed',
    tests: [
      ['test/server/order.test.ts', 'a failed batch: one error for each reply that depends on it, the others stay'],
    ],
    mutants: ['failed-reply-said-twice'],
  },
  {
    bug: "reads of values racing a segment's unlink",
    tests: [
      [
        `${ENGINE}/reads.test.ts`,
        'reads that race the unlink of merged segments: the files stay until the last reader has left',
      ],
    ],
    mutants: ['files-unlinked-under-readers'],
  },
]
