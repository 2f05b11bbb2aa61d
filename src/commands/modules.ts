// MODULE: none is loaded, and none can be. Tools ask for the list; who tries to load one is refused as by a Redis that does not
// allow it, or, where enable-module-command does, as by one that found the file to be no module.

import type { Args } from '../resp/args.ts'
import { ADMIN, type Command, LOADING, NOSCRIPT, PROTECTED, STALE } from './command.ts'
import { replyWithHelp } from './help.ts'
import type { Session } from './session.ts'
import { subcommandsOf } from './subcommands.ts'
import { LOGGED_BYTES, quoted } from './words.ts'

const CANNOT_LOAD = 'ERR Error loading the extension. Please check the server logs.'

const moduleSubcommands = [
  {
    name: 'MODULE|LIST',
    arity: 2,
    flags: ADMIN | NOSCRIPT,
    keys: null,
    tips: ['nondeterministic_output_order'],
    run: (session) => session.reply.array(0),
    summary: 'Returns the modules that are loaded: none.',
    since: '4.0.0',
    group: 'server',
    complexity: 'O(1)',
  },
  {
    name: 'MODULE|LOAD',
    arity: -3,
    flags: ADMIN | NOSCRIPT | PROTECTED,
    keys: null,
    run: load,
    summary: 'Modules cannot be loaded: an error.',
    since: '4.0.0',
    group: 'server',
    complexity: 'O(1)',
    difference: 'There are no modules.',
  },
  {
    name: 'MODULE|LOADEX',
    arity: -3,
    flags: ADMIN | NOSCRIPT | PROTECTED,
    keys: null,
    run: load,
    summary: 'Modules cannot be loaded: an error.',
    since: '7.0.0',
    group: 'server',
    complexity: 'O(1)',
    difference: 'There are no modules.',
  },
  {
    name: 'MODULE|UNLOAD',
    arity: 3,
    flags: ADMIN | NOSCRIPT | PROTECTED,
    keys: null,
    run: unload,
    summary: 'No module is loaded: an error.',
    since: '4.0.0',
    group: 'server',
    complexity: 'O(1)',
  },
  {
    name: 'MODULE|HELP',
    arity: 2,
    flags: LOADING | STALE,
    keys: null,
    run: (session) => replyWithHelp(session, 'MODULE', MODULE_HELP),
    summary: 'Explains the subcommands.',
    since: '5.0.0',
    group: 'server',
    complexity: 'O(1)',
  },
] as const satisfies readonly Command[]

const MODULE_HELP = [
  'LIST',
  '    The modules that are loaded: none.',
  'LOAD <path> [<arg> ...], LOADEX <path> [...], UNLOAD <name>',
  '    Refused: there are no modules.',
]

export const moduleCommands = [
  {
    name: 'MODULE',
    arity: -2,
    flags: 0,
    keys: null,
    run: () => {},
    subcommands: subcommandsOf(moduleSubcommands),
    summary: 'Modules: there are none.',
    since: '4.0.0',
    group: 'server',
    complexity: 'Depends on the subcommand.',
  },
] as const satisfies readonly Command[]

function load(session: Session, args: Args): void {
  session.server.log(`Module ${quoted(args.at(2), LOGGED_BYTES)} failed to load: Casky has no modules.`)
  session.reply.error(CANNOT_LOAD)
}

function unload(session: Session): void {
  session.reply.error('ERR Error unloading module: no such module with that name')
}
