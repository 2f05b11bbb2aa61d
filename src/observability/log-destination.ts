// Where log lines go: a buffer in memory that is written to a descriptor behind the event loop's back, and bounded, so that
// a disk or a pipe that does not take them costs log lines and nothing else.

import { pino } from 'pino'

/** Lines that wait to be written. Beyond it, new ones are dropped. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024

export interface Sink {
  write(line: string): void
  /** Writes what waits and closes; `done`, also when that cannot be done. What is written afterwards is dropped. */
  end(done: () => void): void
}

export function bufferedSink(fd: number): Sink {
  const destination = pino.destination({ dest: fd, sync: false, maxLength: MAX_WAITING_BYTES })
  // Nobody to tell: a log that cannot be written must not end the server.
  destination.on('error', () => {})
  let isEnded = false
  return {
    write(line) {
      if (!isEnded) destination.write(line)
    },
    end(done) {
      isEnded = true
      destination.once('close', done)
      destination.once('error', done)
      destination.end()
    },
  }
}
