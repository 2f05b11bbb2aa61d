// A double as text, exactly as Redis 7.0 writes it: C's "%.17g". Seventeen significant digits, enough to read the same
// double back; trailing zeros dropped; scientific from 1e-5 down and from 1e+17 up, the exponent in two digits at least.
// So 0.1 is 0.10000000000000001, as it is in Redis 7.0 (from 7.2 on Redis writes the shortest text that reads back).

const DIGITS = 17

export function formatDouble(x: number): string {
  if (Number.isNaN(x)) return 'nan'
  if (x === Infinity) return 'inf'
  if (x === -Infinity) return '-inf'
  if (x === 0) return Object.is(x, -0) ? '-0' : '0'
  const [mantissa, power] = x.toExponential(DIGITS - 1).split('e') as [string, string]
  const exponent = Number(power)
  if (exponent >= -4 && exponent < DIGITS) return withoutTrailingZeros(x.toFixed(DIGITS - 1 - exponent))
  const sign = exponent < 0 ? '-' : '+'
  return `${withoutTrailingZeros(mantissa)}e${sign}${String(Math.abs(exponent)).padStart(2, '0')}`
}

function withoutTrailingZeros(text: string): string {
  if (!text.includes('.')) return text
  let end = text.length
  while (text[end - 1] === '0') end--
  if (text[end - 1] === '.') end--
  return text.slice(0, end)
}
