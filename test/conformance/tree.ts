// A reply as a tree that keeps what a client library sees of it: the type of every element, not the lengths. Normalisers of
// replies that describe (COMMAND INFO and DOCS) work on it: they drop single leaves and leave the rest as it was sent.

export interface Tree {
  readonly type: string // the type byte
  /** Of a leaf, latin1. */
  readonly text: string
  /** Of an aggregate; a map's keys and values alternate. */
  items: Tree[] | null
}

export function treeOf(raw: Buffer): Tree {
  let at = 0
  const read = (): Tree => {
    const end = raw.indexOf('\r\n', at, 'latin1')
    const type = String.fromCharCode(raw[at]!)
    const text = raw.toString('latin1', at + 1, end)
    at = end + 2
    if ('*~%>'.includes(type)) {
      const count = Number(text) * (type === '%' ? 2 : 1)
      return { type, text: '', items: Array.from({ length: count }, read) }
    }
    if (!'$='.includes(type) || text === '-1') return { type, text, items: null }
    const body = raw.toString('latin1', at, at + Number(text))
    at += Number(text) + 2
    return { type, text: body, items: null }
  }
  return read()
}

export function drawn({ type, text, items }: Tree): string {
  return items === null ? `${type}${text}` : `${type}(${items.map(drawn).join(' ')})`
}

/** What stands behind the leaf of that name. */
export function after(items: readonly Tree[], name: string): Tree | undefined {
  const at = items.findIndex((it) => it.text === name)
  return at < 0 ? undefined : items[at + 1]
}
