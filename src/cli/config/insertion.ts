import { children, type Node } from './syntax.ts'

/** A change of a source: the text between two places is replaced. */
export interface Edit {
  start: number
  end: number
  text: string
}

export function applyEdits(source: string, edits: Edit[]): string {
  let changed = source
  for (const { start, end, text } of edits.toSorted((a, b) => b.start - a.start || b.end - a.end))
    changed = changed.slice(0, start) + text + changed.slice(end)
  return changed
}

/**
 * Puts items in front of those of an array or object literal, on lines of their own where the literal has such lines. There, no comment
 * of another item gets in between.
 */
export function insertFirst(source: string, literal: Node, items: string[]): Edit {
  const [first] = [...children(literal, 'elements'), ...children(literal, 'properties')]
  const at = literal.start + 1
  const isObject = literal.type === 'ObjectExpression'
  const newline = newlineOf(source)
  if (!first) {
    const inside = source.slice(at, literal.end - 1)
    const text = items.join(', ')
    return { start: at, end: inside.trim() === '' ? literal.end - 1 : at, text: isObject ? ` ${text} ` : text }
  }
  if (!source.slice(at, first.start).includes('\n')) {
    const isSpaced = isObject && source[at] === ' '
    return { start: at, end: at, text: isSpaced ? ` ${items.join(', ')},` : `${items.join(', ')}, ` }
  }
  const indent = indentAt(source, first.start)
  return { start: at, end: at, text: items.map((item) => `${newline}${indent}${item},`).join('') }
}

export function newlineOf(source: string): string {
  return source.includes('\r\n') ? '\r\n' : '\n'
}

/** The white space at the start of the line. */
export function indentAt(source: string, at: number): string {
  const line = source.slice(source.lastIndexOf('\n', at - 1) + 1, at)
  return /^\s*/.exec(line)?.[0] ?? ''
}
