// What the lower layers know of logging: four levels and a message with fields. Pino stands behind it (observability).
// Levels are Redis's: debug, verbose, notice, warning.

export interface Logger {
  debug(message: string, fields?: object): void
  verbose(message: string, fields?: object): void
  notice(message: string, fields?: object): void
  warning(message: string, fields?: object): void
}

const nothing = (): void => {}
export const silentLogger: Logger = { debug: nothing, verbose: nothing, notice: nothing, warning: nothing }
