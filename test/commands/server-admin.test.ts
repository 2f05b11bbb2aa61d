// Commands about the server, MERGE and COMMAND: what they ask of their ports and how they word the answer.

import { describe, expect, it } from 'vitest'
import type { MergeControl, MergeStatus, ScrubControl } from '../../src/engine/engine.ts'
import { FakeClient, FakeEngine, ownCommands } from './fakes.ts'

const OK = '+OK\r\n'
const SYNTAX = '-ERR syntax error\r\n'

describe('CONFIG', () => {
  it('GET is a map of bytes, SET takes pairs of them, in latin1', () => {
    const asked: unknown[] = []
    const client = new FakeClient(new FakeEngine(), {
      configGet: (patterns) => {
        asked.push(patterns)
        return [['requirepass', 'p\xc3\xa4']]
      },
      configSet: (pairs) => {
        asked.push(pairs)
        return pairs[0]![0] === 'databases' ? 'ERR no' : null
      },
      configTakesTime: () => false,
      configRewrite: () => 'ERR The server is running without a config file',
      resetStatistics: () => asked.push('reset'),
    })
    expect(client.run('CONFIG', 'GET', 'max*', Buffer.from('pä'))).toBe(
      '*2\r\n$11\r\nrequirepass\r\n$3\r\np\xc3\xa4\r\n',
    )
    client.session.reply.protocol = 3
    expect(client.run('CONFIG', 'get', 'x')).toMatch(/^%1\r\n/)
    expect(client.run('CONFIG', 'SET', 'a', Buffer.from('ä'), 'b', '2')).toBe(OK)
    expect(client.run('CONFIG', 'SET', 'databases', '2')).toBe('-ERR no\r\n')
    expect(client.run('CONFIG', 'SET', 'a', '1', 'b')).toBe(SYNTAX)
    expect(client.run('CONFIG', 'REWRITE')).toBe('-ERR The server is running without a config file\r\n')
    expect(client.run('CONFIG', 'RESETSTAT')).toBe(OK)
    expect(asked).toEqual([
      ['max*', 'p\xc3\xa4'],
      ['x'],
      [
        ['a', '\xc3\xa4'],
        ['b', '2'],
      ],
      [['databases', '2']],
      'reset',
    ])
    expect(client.run('CONFIG', 'SET', 'a')).toBe("-ERR wrong number of arguments for 'config|set' command\r\n")
  })
})

describe('INFO, TIME, LASTSAVE', () => {
  it('INFO asks for sections in lower case and is verbatim text in RESP3', () => {
    const client = new FakeClient(new FakeEngine(), { info: (sections) => sections.join('+') })
    expect(client.run('INFO', 'Server', 'CLIENTS')).toBe('$14\r\nserver+clients\r\n')
    client.session.reply.protocol = 3
    expect(client.run('INFO', 'x')).toBe('=5\r\ntxt:x\r\n')
  })

  it('TIME is seconds and microseconds', () => {
    const client = new FakeClient()
    client.engine.now = 1_700_000_000_042
    expect(client.run('TIME')).toBe('*2\r\n$10\r\n1700000000\r\n$5\r\n42000\r\n')
    expect(client.run('LASTSAVE')).toBe(':1600000000\r\n')
  })
})

describe('SAVE and SHUTDOWN', () => {
  it('SAVE holds the client until the segment is sealed, and tells when that failed', () => {
    const client = new FakeClient()
    let finish: ((error: Error | null) => void) | null = null
    client.engine.seal = (done) => {
      finish = done
    }
    expect(client.run('SAVE')).toBe('')
    expect(client.held).toBe(1)
    finish!(null)
    expect(client.text()).toBe(OK)
    expect(client.held).toBe(0)
    client.run('SAVE')
    finish!(new Error('disk gone'))
    expect(client.text()).toBe('-ERR disk gone\r\n')
    expect(client.held).toBe(0)
  })

  it('BGSAVE answers at once', () => {
    const client = new FakeClient()
    expect(client.run('BGSAVE')).toBe('+Background saving started\r\n')
    expect(client.run('BGSAVE', 'schedule')).toBe('+Background saving started\r\n')
    expect(client.run('BGSAVE', 'now')).toBe(SYNTAX)
    expect(client.held).toBe(0)
  })

  it('SHUTDOWN says nothing and lets nothing more run', () => {
    const client = new FakeClient()
    expect(client.run('SHUTDOWN', 'nosave', 'FORCE')).toBe('')
    expect(client.shutdowns).toEqual([{ nosave: true, now: false, force: true }])
    expect(client.held).toBe(1)
  })

  it.each([[['SAVE', 'NOSAVE']], [['ABORT', 'NOW']], [['later']]])('SHUTDOWN %j is refused', (words) => {
    const client = new FakeClient()
    expect(client.run('SHUTDOWN', ...words)).toBe(SYNTAX)
    expect(client.shutdowns).toEqual([])
  })

  it('SHUTDOWN ABORT needs one in progress', () => {
    expect(new FakeClient().run('SHUTDOWN', 'ABORT')).toBe('-ERR No shutdown in progress.\r\n')
    expect(new FakeClient(new FakeEngine(), { abortShutdown: () => true }).run('SHUTDOWN', 'ABORT')).toBe(OK)
  })
})

describe('MERGE', () => {
  const status: MergeStatus = {
    state: 'idle',
    segments: 3,
    bytesTotal: 100,
    bytesRead: 40,
    bytesWritten: 20,
    merges: 2,
    failures: 1,
    lastFreedBytes: 7,
    lastDurationMs: 1.6,
    lastError: 'EIO',
    nextCheckInMs: 500,
  }
  function client(merge: Partial<MergeControl>): FakeClient {
    return new FakeClient(new FakeEngine(merge))
  }

  it.each([
    ['running', '-ERR Background merge already in progress\r\n'],
    ['paused', '-ERR merging is paused: MERGE RESUME lets it go on\r\n'],
    ['disabled', '+Nothing to merge\r\n'],
    ['idle', '+Nothing to merge\r\n'],
  ] as const)('says why it does not start: %s', (state, reply) => {
    expect(client({ start: () => false, status: () => ({ ...status, state }) }).run('MERGE')).toBe(reply)
  })

  it('starts one in the background, also as BGREWRITEAOF', () => {
    const it = client({ start: () => true })
    expect(it.run('merge')).toBe('+Background merge started\r\n')
    expect(it.run('BGREWRITEAOF')).toBe('+Background append only file rewriting started\r\n')
  })

  it('WAIT answers with the bytes freed, or what went wrong', () => {
    let finish: ((error: Error | null, bytesFreed: number) => void) | null = null
    const it = client({
      wait: (done) => {
        finish = done
      },
    })
    expect(it.run('MERGE', 'WAIT')).toBe('')
    expect(it.held).toBe(1)
    finish!(null, 12345)
    expect(it.text()).toBe(':12345\r\n')
    it.run('MERGE', 'wait')
    finish!(new Error('no room'), 0)
    expect(it.text()).toBe('-ERR merge failed: no room\r\n')
    expect(it.held).toBe(0)
  })

  it('tells what it is doing, would free, and why', () => {
    const calls: string[] = []
    let steps = 0
    const it = client({
      status: () => status,
      estimate: () => ({ bytesFreed: 10, segments: 2 }),
      why: () => ({
        step: () => ++steps === 3,
        segments: () => [
          { segment: 4, bytes: 9, liveBytes: 5, deadBytes: 3, expiredBytes: 1, tombstones: 0, verdict: '33% dead' },
        ],
      }),
      pause: () => calls.push('pause'),
      resume: () => calls.push('resume'),
    })
    expect(it.run('MERGE', 'STATUS')).toBe(
      '*22\r\n$5\r\nstate\r\n$4\r\nidle\r\n$8\r\nsegments\r\n:3\r\n$11\r\nbytes_total\r\n:100\r\n$10\r\nbytes_read\r\n:40\r\n' +
        '$13\r\nbytes_written\r\n:20\r\n$6\r\nmerges\r\n:2\r\n$8\r\nfailures\r\n:1\r\n$16\r\nlast_freed_bytes\r\n:7\r\n' +
        '$16\r\nlast_duration_ms\r\n:2\r\n$10\r\nlast_error\r\n$3\r\nEIO\r\n$16\r\nnext_check_in_ms\r\n:500\r\n',
    )
    expect(it.run('MERGE', 'ESTIMATE')).toBe('*4\r\n$11\r\nbytes_freed\r\n:10\r\n$8\r\nsegments\r\n:2\r\n')
    it.session.reply.protocol = 3
    expect(it.run('MERGE', 'WHY')).toBe(
      '*1\r\n%7\r\n$7\r\nsegment\r\n:4\r\n$5\r\nbytes\r\n:9\r\n$10\r\nlive_bytes\r\n:5\r\n$10\r\ndead_bytes\r\n:3\r\n' +
        '$13\r\nexpired_bytes\r\n:1\r\n$10\r\ntombstones\r\n:0\r\n$7\r\nverdict\r\n$8\r\n33% dead\r\n',
    )
    expect(it.run('MERGE', 'PAUSE') + it.run('MERGE', 'RESUME')).toBe(OK + OK)
    expect(calls).toEqual(['pause', 'resume'])
  })
})

describe('SCRUB', () => {
  const client = (scrub: Partial<ScrubControl>): FakeClient => new FakeClient(new FakeEngine({}, scrub))

  it('starts one in the background, one at a time, and cancels the one that runs', () => {
    expect(client({ start: () => true }).run('scrub')).toBe('+Background scrub started\r\n')
    expect(client({ start: () => false }).run('SCRUB')).toBe('-ERR Background scrub already in progress\r\n')
    expect(client({ cancel: () => true }).run('SCRUB', 'CANCEL')).toBe(OK)
    expect(client({ cancel: () => false }).run('SCRUB', 'CANCEL')).toBe('-ERR no scrub is running\r\n')
  })

  it('WAIT answers with the damaged places, or what went wrong', () => {
    let finish: ((error: Error | null, damaged: number) => void) | null = null
    const it = client({
      wait: (done) => {
        finish = done
      },
    })
    expect(it.run('SCRUB', 'WAIT')).toBe('')
    expect(it.held).toBe(1)
    finish!(null, 3)
    expect(it.text()).toBe(':3\r\n')
    it.run('SCRUB', 'wait')
    finish!(new Error('cancelled'), 0)
    expect(it.text()).toBe('-ERR scrub failed: cancelled\r\n')
    expect(it.held).toBe(0)
  })

  it('tells what it is doing, stands still, goes on', () => {
    const calls: string[] = []
    const last = {
      lastEndedAt: 2500,
      lastDurationMs: 1,
      lastSegments: 2,
      lastBytes: 3,
      lastDamaged: 4,
      lastDamagedKeys: 5,
    }
    const now = { state: 'running', segments: 6, segmentsRead: 7, bytesTotal: 8, bytesRead: 9 } as const
    const counts = { damaged: 10, damagedKeys: 11, scrubs: 12, failures: 13, lastError: 'EIO' }
    const it = client({
      status: () => ({ ...now, ...counts, ...last }),
      pause: () => calls.push('pause'),
      resume: () => calls.push('resume'),
    })
    expect(it.run('SCRUB', 'STATUS')).toMatch(/^\*32\r\n\$5\r\nstate\r\n\$7\r\nrunning\r\n\$8\r\nsegments\r\n:6\r\n/)
    expect(it.run('SCRUB', 'PAUSE') + it.run('SCRUB', 'RESUME')).toBe(OK + OK)
    expect(calls).toEqual(['pause', 'resume'])
    expect(it.run('SCRUB', 'no')).toMatch(/^-ERR unknown subcommand/)
  })
})

describe('COMMAND', () => {
  const client = new FakeClient()

  it('counts commands, not subcommands; LIST names both', () => {
    const all = [...ownCommands.byName.values()].flatMap((it) => [it, ...(it.subcommands?.values() ?? [])])
    expect(client.run('COMMAND', 'COUNT')).toBe(`:${ownCommands.byName.size}\r\n`)
    expect(client.run('COMMAND', 'LIST')).toMatch(new RegExp(`^\\*${all.length}\r\n`))
    expect(client.run('COMMAND')).toMatch(new RegExp(`^\\*${ownCommands.byName.size}\r\n\\*10\r\n`))
    expect(client.run('COMMAND', 'INFO')).toBe(client.run('COMMAND'))
  })

  it('INFO has a null for what it does not know, DOCS leaves it out', () => {
    expect(client.run('COMMAND', 'INFO', 'nosuch', 'config|nosuch', 'get|x')).toBe('*3\r\n$-1\r\n$-1\r\n$-1\r\n')
    expect(client.run('COMMAND', 'DOCS', 'nosuch')).toBe('*0\r\n')
    expect(client.run('COMMAND', 'DOCS', 'Config|Get', 'nosuch')).toMatch(/^\*2\r\n\$10\r\nconfig\|get\r\n\*12\r\n/)
  })

  it.each([
    [['FILTERBY', 'PATTERN', 'GETR*'], '*1\r\n$8\r\ngetrange\r\n'],
    [['filterby', 'aclcat', 'nosuch'], '*0\r\n'],
    [['FILTERBY', 'MODULE', 'x'], '*0\r\n'],
    [['FILTERBY', 'COLOUR', 'x'], SYNTAX],
    [['FILTERBY', 'PATTERN'], SYNTAX],
    [['FILTERBY', 'PATTERN', 'a', 'b'], SYNTAX],
    [['ALL'], SYNTAX],
  ])('LIST %j', (words, reply) => expect(client.run('COMMAND', 'LIST', ...words)).toBe(reply))

  it.each([
    [['mset', 'a', '1', 'b', '2'], '*2\r\n$1\r\na\r\n$1\r\nb\r\n'],
    [['RENAME', 'a', 'b'], '*2\r\n$1\r\na\r\n$1\r\nb\r\n'],
    [['nosuch', 'a'], '-ERR Invalid command specified\r\n'],
    [['config', 'nosuch'], '-ERR Invalid command specified\r\n'],
    [['config|get', 'a'], '-ERR Invalid command specified\r\n'],
    [['config', 'get'], '-ERR The command has no key arguments\r\n'],
    [['get', 'a', 'b'], '-ERR Invalid number of arguments specified for command\r\n'],
    [['set', 'a'], '-ERR Invalid number of arguments specified for command\r\n'],
  ])('GETKEYS %j', (words, reply) => expect(client.run('COMMAND', 'GETKEYS', ...words)).toBe(reply))

  it.each([
    [['set', 'k', 'v'], '*1\r\n*2\r\n$1\r\nk\r\n*2\r\n+OW\r\n+update\r\n'],
    [['set', 'k', 'v', 'get'], '*1\r\n*2\r\n$1\r\nk\r\n*3\r\n+RW\r\n+access\r\n+update\r\n'],
    [
      ['rename', 'a', 'b'],
      '*2\r\n*2\r\n$1\r\na\r\n*3\r\n+RW\r\n+access\r\n+delete\r\n*2\r\n$1\r\nb\r\n*2\r\n+OW\r\n+update\r\n',
    ],
  ])('GETKEYSANDFLAGS %j', (words, reply) => {
    expect(client.run('COMMAND', 'GETKEYSANDFLAGS', ...words)).toBe(reply)
  })

  it.each(['COMMAND', 'CONFIG', 'MERGE'])('%s HELP is lines, the last about itself', (name) => {
    const help = client.run(name, 'HELP')
    const lines = help.split('\r\n')
    expect(lines[0]).toBe(`*${lines.length - 2}`)
    expect(help).toMatch(new RegExp(`^\\*\\d+\r\n\\+${name} <subcommand> .*Subcommands are:\r\n`))
    expect(help).toMatch(/\+HELP\r\n\+ {4}Prints this help\.\r\n$/)
    for (const subcommand of ownCommands.byName.get(name)!.subcommands!.keys())
      expect(help).toContain(`\r\n+${subcommand}`)
  })
})
