// Why a store cannot be opened: an error whose message is for whoever started it, and says what to do.

export class RecoveryError extends Error {
  readonly code: 'EUNSUPPORTED' | 'EDAMAGED' | 'ENOSPC' | 'ESEGMENTS'

  constructor(code: RecoveryError['code'], message: string) {
    super(message)
    this.code = code
  }
}

/** A file, by name, is of a format that is newer than this program. */
export const unsupported = (name: string): RecoveryError =>
  new RecoveryError(
    'EUNSUPPORTED',
    `${name} was written by a newer version of Casky. Start that version; nothing was changed.`,
  )
