// Where a test that plays at random begins. CASKY_TEST_SEED replays; else anything, so that those who work on Casky explore; but in CI always the
// same, for there a story that is one in ten thousand says nothing about the change under test. The soaks look for those.

const CI_SEED = 20_261_122

export const seedOfCi = process.env['CI'] === 'true' ? CI_SEED : null

export const anySeed = (): number =>
  Number(process.env['CASKY_TEST_SEED'] ?? seedOfCi ?? Math.floor(Math.random() * 2 ** 31))
