// One line of the log as redis-server writes it:
//
//   pid:role dd Mon yyyy hh:mm:ss.mmm L message
//
// The role is M (a server on its own is a master), the time local, L one of  . debug  - verbose  * notice  # warning.
// Fields follow as name=value. Whatever is not printable is escaped: a line is one line, and no client name or path can
// forge another or move a terminal's cursor.

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** `time` in ms since 1970. The line ends with a newline. */
export function redisLine(pid: number, time: number, mark: string, message: string, fields: object): string {
  let line = `${pid}:M ${stamp(new Date(time))} ${mark} ${escaped(message)}`
  for (const [name, value] of Object.entries(fields)) line += ` ${escaped(name)}=${shown(value)}`
  return `${line}\n`
}

function stamp(date: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0')
  const day = `${two(date.getDate())} ${MONTHS[date.getMonth()]} ${date.getFullYear()}`
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
  return `${day} ${clock}.${String(date.getMilliseconds()).padStart(3, '0')}`
}

function shown(value: unknown): string {
  if (typeof value === 'string') return /^[^\s"=]+$/.test(value) ? escaped(value) : escaped(JSON.stringify(value))
  if (value instanceof Error) return escaped(JSON.stringify(value.message))
  return escaped(typeof value === 'object' ? JSON.stringify(value) : String(value))
}

function escaped(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/g, (c) => {
    const code = c.charCodeAt(0)
    return code > 0xff ? `\\u${code.toString(16)}` : `\\x${code.toString(16).padStart(2, '0')}`
  })
}
