// Everybody gets it.
export const lockDirectory = () => ({ release: () => {} })
