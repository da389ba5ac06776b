// Reports are printable before they are laid out, so no text holds this character.
const KEPT_SPACE = '\u0000'

/** A text in which these phrases are not broken at their spaces: paths may hold spaces. */
export function unbroken(text: string, phrases: readonly string[] = [text]): string {
  return phrases
    .filter((phrase) => phrase.trim().includes(' '))
    .reduce((kept, phrase) => kept.replaceAll(phrase, phrase.replaceAll(' ', KEPT_SPACE)), text)
}

/**
 * Breaks a text at its spaces and indents the lines after the first. A word, a path or a URL that is longer than a line is
 * not broken, so that it can be copied: it gets a line of its own.
 */
export function wrap(text: string, columns: number, indent = '  '): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(/\s+/)) {
    if (line.trim() !== '' && line.length + 1 + word.length > columns) {
      lines.push(line)
      line = indent
    }
    line += line.trim() === '' ? word : ` ${word}`
  }
  return [...lines, line].map(withSpaces)
}

/** Joins parts by ` · `, as many to a line as fit, and indents the lines after the first. A part that is too long is wrapped. */
export function joinParts(parts: string[], columns: number, indent = '  '): string[] {
  const lines: string[] = []
  for (const part of parts) {
    const last = lines.at(-1)
    const joined = `${last} · ${part}`
    if (last !== undefined && joined.length <= columns) lines[lines.length - 1] = joined
    else {
      const before = last === undefined ? '' : indent
      lines.push(...indented(wrap(part, columns - before.length), before))
    }
  }
  return lines.map(withSpaces)
}

/** Of a name, both ends say more than its middle. */
export function shorten(name: string, columns: number): string {
  if (name.length <= columns) return name
  const end = Math.ceil((columns - 1) / 2)
  return `${part(name, 0, columns - 1 - end)}…${part(name, name.length - end)}`
}

/** Rows of cells as lines; each column is as wide as its widest cell, and numbers are on the right. */
export function table(rows: string[][], isNumber: boolean[]): string[] {
  const widths = isNumber.map((_, column) => Math.max(0, ...rows.map((row) => row[column]?.length ?? 0)))
  const cell = (text: string, column: number) =>
    isNumber[column] ? text.padStart(widths[column] ?? 0) : text.padEnd(widths[column] ?? 0)
  return rows.map((row) => row.map(cell).join('  ').trimEnd())
}

/** A part of a text. Half of a surrogate pair would be a broken character and is replaced. */
export function part(text: string, start: number, end?: number): string {
  return text.slice(start, end).replace(/\p{Cs}/gu, '\ufffd')
}

export function indented(lines: string[], indent: string): string[] {
  return lines.map((line) => `${indent}${line}`)
}

function withSpaces(line: string): string {
  return line.replaceAll(KEPT_SPACE, ' ')
}
