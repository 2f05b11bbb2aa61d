// Surface 7: the client matrix, every row of it, with nothing skipped.
//
//   npm ci --prefix test/clients && npx tsx test/acceptance/surface-7-clients.ts [--kind redis]
//
// Debian's clients: .ci/run installs them and has their names.

import { clients } from '../clients/matrix.ts'
import { runMatrix } from '../clients/run.ts'
import { Verdict } from './verdict.ts'

const verdict = new Verdict('surface 7: the client matrix')
const rows = await runMatrix(process.argv.includes('redis') ? 'redis' : 'casky', clients, (row) => {
  verdict.demand(row.outcome === 'works', `${row.name} (${(row.ms / 1000).toFixed(1)} s)`, row.detail)
})
verdict.figure('clients', rows.length)
verdict.figure('of them work', rows.filter((row) => row.outcome === 'works').length)
verdict.finish()
