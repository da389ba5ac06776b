/** Breaks at spaces, and indents what follows. An error is never cut: it says what to do at its end. */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(/\s+/).flatMap((word) => pieces(word, columns - 2))) {
    if (line !== '' && line.length + 1 + word.length > columns) {
      lines.push(line)
      line = '  '
    }
    line += line.trim() === '' ? word : ` ${word}`
  }
  return [...lines, line]
}

/** As many parts on a line as there is room for; what follows is indented. */
export function joinParts(parts: string[], columns: number, indent = '  '): string[] {
  const lines: string[] = []
  for (const part of parts) {
    const last = lines.at(-1)
    const joined = `${last} · ${part}`
    if (last === undefined) lines.push(part)
    else if (joined.length <= columns) lines[lines.length - 1] = joined
    else lines.push(`${indent}${part}`)
  }
  return lines
}

export function truncate(line: string, columns: number): string {
  return line.length <= columns ? line : `${part(line, 0, Math.max(0, columns - 1))}…`
}

/** Of a name both ends say more than its middle. */
export function shorten(name: string, columns: number): string {
  if (name.length <= columns) return name
  const end = Math.ceil((columns - 1) / 2)
  return `${part(name, 0, columns - 1 - end)}…${part(name, name.length - end)}`
}

/** Rows of cells as lines; each column as wide as its widest cell, numbers to the right. */
export function table(rows: string[][], isNumber: boolean[]): string[] {
  const widths = isNumber.map((_, column) => Math.max(0, ...rows.map((row) => row[column]?.length ?? 0)))
  const cell = (text: string, column: number) =>
    isNumber[column] ? text.padStart(widths[column] ?? 0) : text.padEnd(widths[column] ?? 0)
  return rows.map((row) => row.map(cell).join('  ').trimEnd())
}

/** As `table`, with the last cells shortened to what room is left. */
export function fittedTable(rows: string[][], isNumber: boolean[], columns: number): string[] {
  const heads = table(
    rows.map((row) => row.slice(0, -1)),
    isNumber.slice(0, -1),
  )
  const used = Math.max(0, ...heads.map(({ length }) => length))
  return heads.map((head, index) => {
    const last = rows[index]?.at(-1) ?? ''
    return `${head.padEnd(used)}  ${shorten(last, Math.max(1, columns - used - 2))}`.trimEnd()
  })
}

/** Half of a pair of surrogates would be a broken character. */
export function part(text: string, start: number, end?: number): string {
  return text.slice(start, end).replace(/\p{Cs}/gu, '\ufffd')
}

/** A URL may be longer than a line. */
function pieces(word: string, length: number): string[] {
  return word.match(new RegExp(`.{1,${Math.max(1, length)}}`, 'gu')) ?? []
}
