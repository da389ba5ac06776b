import { visible } from '../../model/printable.ts'

/** HTML that is already escaped. `html` and the functions below make it; so does Plot. */
export class Html {
  constructor(readonly text: string) {}
}

type Part = string | number | Html | readonly Part[]

/** A piece of the page. Each value that is not `Html` is escaped. */
export function html(strings: TemplateStringsArray, ...values: Part[]): Html {
  return new Html(
    strings.map((string, index) => string + (index < values.length ? show(values[index] ?? '') : '')).join(''),
  )
}

// Backticks inside a word belong to a name.
const CODE = /(?<![\w`])`([^`]+)`(?![\w`])/

/** A message as a paragraph. The parts between backticks are set as code. */
export function prose(message: string): Html {
  const parts = message.replace(/\s+/g, ' ').split(CODE)
  return html`${parts.map((part, index) => (index % 2 === 1 ? html`<code>${part}</code>` : part))}`
}

/** A name or a path that a narrow column may break after a separator. Its text stays the same. */
export function breakable(name: string): Html {
  return new Html(
    name
      .split(/(?<=[^/\\][/\\@_])/)
      .map(escapeHtml)
      .join('<wbr>'),
  )
}

/** Escapes for text and for quoted attributes. */
export function escapeHtml(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }
  return visible(text).replace(/[&<>"']/g, (character) => entities[character] ?? '')
}

function show(value: Part): string {
  if (value instanceof Html) return value.text
  if (typeof value === 'object') return value.map(show).join('')
  return escapeHtml(String(value))
}
