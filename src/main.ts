#!/usr/bin/env node

// Casky's composition root: configuration -> log -> server -> engine -> signals -> exit code. It wires and decides nothing.
//
// The server listens before the store is loaded, and answers LOADING until then; `Ready to accept connections` is logged when
// everything is served. The first word of the command line may be a name of the program, so that images and tools which start
// `redis-server ...` start Casky.

import { existsSync, lstatSync, readFileSync, stat, unlinkSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { systemClock } from './base/clock.ts'
import type { Logger } from './base/logger.ts'
import { CASKY_VERSION } from './base/version.ts'
import { commandTable } from './commands/table.ts'
import type { Config } from './config/config.ts'
import { systemFiles } from './config/files.ts'
import { loadConfig } from './config/load.ts'
import { type Engine, GATE_LOADING } from './engine/engine.ts'
import { openEngine } from './engine/open.ts'
import { createLogger, type Log } from './observability/log.ts'
import { type FileOf, followRotation } from './observability/log-rotation.ts'
import { engineSettings, followSettings } from './server/engine-settings.ts'
import { ListenError, Listener } from './server/listener.ts'
import { Server } from './server/server.ts'
import { Shutdown } from './server/shutdown.ts'

const PROGRAM_NAMES = new Set(['redis-server', 'casky', 'casky-server'])
/** A store that cannot even commit must not keep a broken process alive. */
const LAST_COMMIT_MS = 2000
/** The thread pool as libuv makes it when nobody says otherwise. */
const DEFAULT_POOL_THREADS = 4

const words = process.argv.slice(2)
const argv = PROGRAM_NAMES.has(words[0] ?? '') ? words.slice(1) : words
const loaded = loadConfig({ argv, env: process.env, cwd: process.cwd(), files: systemFiles })
if ('exit' in loaded) {
  process.stdout.write(loaded.stdout)
  process.stderr.write(loaded.stderr)
  process.exitCode = loaded.exit
} else {
  await start(loaded.config)
}

async function start(config: Config): Promise<void> {
  const log = openLog(config)
  const { logger } = log
  let forgetPid = (): void => {}
  let isExiting = false
  let stopListening = (): void => {}
  const exit = (code: number): void => {
    if (isExiting) process.exit(code) // something has gone wrong on the way out, or somebody insists
    isExiting = true
    stopListening() // who connects now would find a server that is going
    forgetPid()
    log.end(() => process.exit(code))
  }
  const place = { dir: resolve(config.get('dir')), config: config.file ?? 'none' }
  logger.notice(`Casky ${CASKY_VERSION} is starting, Node ${process.versions.node}, pid ${process.pid}`, place)
  const idle = config.meaningless()
  if (idle.length > 0) {
    logger.warning(`Set, and without meaning here: ${idle.join(' ')}. casky.conf.example says why`)
  }

  let shutdown: Shutdown | null = null
  const server = new Server({
    config,
    table: commandTable,
    clock: systemClock,
    logger,
    descriptorLimit: descriptorLimit(),
    onShutdown: (options) => shutdown?.begin(options),
    onAbortShutdown: () => false, // what has begun cannot be taken back
  })
  const listener = new Listener({
    port: config.get('port'),
    bind: config.get('bind'),
    backlog: config.get('tcp-backlog'),
    unixSocket: config.get('unixsocket'),
    unixSocketMode: config.get('unixsocketperm'),
    removeStaleSocket,
    logger,
    onConnection: server.accept,
  })
  stopListening = () => listener.close()
  try {
    await listener.open()
  } catch (error) {
    if (!(error instanceof ListenError)) throw error
    logger.warning(error.message)
    return exit(1)
  }

  const { port } = listener
  logger.notice('Listening', { port, bind: config.get('bind').join(' '), unixsocket: config.get('unixsocket') })

  let engine: Engine
  try {
    engine = openStore(config, logger, server, exit)
  } catch (error) {
    logger.warning(cannotOpen(error as NodeJS.ErrnoException, place.dir))
    return exit(1)
  }
  // Not before the directory is ours: who is refused it must not touch the file of the server that has it.
  forgetPid = writePidFile(config.get('pidfile'), logger)
  server.serve(engine)
  followSettings(config, engine)
  followPort(config, listener, server, logger)
  const timeoutSeconds = (): number => config.get('shutdown-timeout')
  // These are asked for when they are needed.
  config.onChange(['shutdown-timeout', 'shutdown-on-sigint', 'shutdown-on-sigterm'], () => null)
  shutdown = new Shutdown({ clock: systemClock, logger, listener, server, engine, timeoutSeconds, exit })
  followSignals(shutdown, config)
  dieAfterBugs(log, engine, listener, server, exit)
}

/** CONFIG SET of port and bind. The last to follow, so that nobody refuses after it has moved. */
function followPort(config: Config, listener: Listener, server: Server, logger: Logger): void {
  let bind = config.get('bind').join(' ')
  config.onChangeLater(['port', 'bind'], async () => {
    const what = config.get('bind').join(' ') === bind ? 'port' : 'bind'
    try {
      await listener.moveTcp(config.get('port'), config.get('bind'))
    } catch (error) {
      if (!(error instanceof ListenError)) throw error
      logger.warning(
        `Failed applying new configuration. Possibly related to new ${what} setting. Restoring previous settings.`,
      )
      return what === 'port'
        ? 'Unable to listen on this port. Check server logs.'
        : 'Failed to bind to specified addresses.'
    }
    bind = config.get('bind').join(' ')
    server.port = listener.port
    return null
  })
}

/** The engine is returned at once and loads while the server answers LOADING. Throws when the directory cannot be used or locked. */
function openStore(config: Config, logger: Logger, server: Server, exit: (code: number) => void): Engine {
  const options = {
    directory: config.get('dir'),
    clock: systemClock,
    logger,
    settings: engineSettings(config),
    databases: config.get('databases'),
    onCorruption: config.get('on-corruption'),
    unsafeNoLock: config.get('unsafe-no-lock'),
    coldReads: Math.max(1, poolThreads() - 2),
    synchronousIo: true,
    reserveBytes: config.get('disk-reserve'),
  }
  return openEngine(options, server.events, (error) => {
    if (error === null) {
      logger.notice('Ready to accept connections')
      return
    }
    logger.warning(`Cannot open the store: ${error.message}`)
    exit(1)
  })
}

function openLog(config: Config): Log {
  const options = { format: config.get('log-format'), level: config.get('loglevel'), file: config.get('logfile') }
  try {
    const log = createLogger({ ...options, pid: process.pid, open: systemFiles.openAppend }, systemClock)
    config.onChange(['loglevel'], () => {
      log.setLevel(config.get('loglevel'))
      return null
    })
    if (options.file !== '') followRotation(options.file, fileOf, systemClock, log.reopen)
    return log
  } catch (error) {
    process.stderr.write(`Can't open the log file: ${(error as Error).message}\n`)
    process.exit(1)
  }
}

/** For those who look after processes by such files. One that cannot be written is told, and is no reason not to serve. */
function writePidFile(path: string, logger: Logger): () => void {
  if (path === '') return () => {}
  try {
    writeFileSync(path, `${process.pid}\n`)
  } catch (error) {
    logger.warning(`Failed to write PID file: ${(error as Error).message}`)
    return () => {}
  }
  return () => removePidFile(path)
}

/** Unless somebody has written theirs over it: then it is about them. */
function removePidFile(path: string): void {
  try {
    if (readFileSync(path, 'latin1') === `${process.pid}\n`) unlinkSync(path)
  } catch {
    // It is gone, or cannot be removed: nobody is worse off.
  }
}

/** As pid 1 the kernel delivers only signals that somebody listens for. */
function followSignals(shutdown: Shutdown, config: Config): void {
  process.on('SIGTERM', () => shutdown.signal('SIGTERM', config.get('shutdown-on-sigterm')))
  process.on('SIGINT', () => shutdown.signal('SIGINT', config.get('shutdown-on-sigint')))
  process.on('SIGHUP', () => {})
  process.on('SIGPIPE', () => {})
  process.on('SIGUSR1', () => {}) // else Node opens its inspector
}

// What was acknowledged is committed; nobody is told anything any more. Quick: what the bug has done to the keydir must not become an image,
// which the next start would believe instead of reading.
function dieAfterBugs(
  log: Log,
  engine: Engine,
  listener: Listener,
  server: Server,
  exit: (code: number) => void,
): void {
  let isDying = false
  process.on('uncaughtException', (error) => {
    log.logger.warning(`Bug, exiting: ${error.stack ?? error}`)
    if (isDying || (engine.gate & GATE_LOADING) !== 0) return exit(1)
    isDying = true
    systemClock.after(LAST_COMMIT_MS, () => exit(1))
    try {
      listener.close()
      server.closeAll()
    } catch (another) {
      log.logger.warning(`And while closing: ${(another as Error).message}`)
    }
    engine.close(() => exit(1), true)
  })
}

/** What the file system says of a directory is not what to do about it. */
function cannotOpen({ code, message }: NodeJS.ErrnoException, directory: string): string {
  const isPlace = ['EACCES', 'EPERM', 'EROFS', 'ENOENT', 'ENOTDIR', 'EEXIST', 'ELOOP'].includes(code ?? '')
  const advice = ` Give --dir a directory that user ${process.getuid?.() ?? ''} may write to; this one is ${directory}.`
  return `Cannot open the store: ${message}${isPlace ? `.${advice}` : ''}`
}

/** By device and inode. */
function fileOf(path: string, done: Parameters<FileOf>[1]): void {
  stat(path, (error, found) => {
    if (error === null) done(`${found.dev} ${found.ino}`)
    else done(error.code === 'ENOENT' ? null : undefined)
  })
}

function removeStaleSocket(path: string): void {
  if (!existsSync(dirname(path))) throw new Error('bind: No such file or directory') // libuv would say: Permission denied
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true) unlinkSync(path)
}

/** How many files this process may have open, 0 where the system does not say. */
function descriptorLimit(): number {
  try {
    return Number(/^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1] ?? 0)
  } catch {
    return 0
  }
}

function poolThreads(): number {
  return Number(process.env['UV_THREADPOOL_SIZE'] ?? DEFAULT_POOL_THREADS) || DEFAULT_POOL_THREADS
}
