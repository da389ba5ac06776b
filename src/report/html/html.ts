import { visible } from '../../model/printable.ts'

/** HTML that is safe to put into a page as it stands. Made by `html`, or of what another library has escaped. */
export class Html {
  constructor(readonly text: string) {}
}

type Part = string | number | Html | readonly Part[]

/** A piece of a page; every value in it that is not HTML itself is escaped. */
export function html(strings: TemplateStringsArray, ...values: Part[]): Html {
  return new Html(
    strings.map((string, index) => string + (index < values.length ? show(values[index] ?? '') : '')).join(''),
  )
}

function show(value: Part): string {
  if (value instanceof Html) return value.text
  if (typeof value === 'object') return value.map(show).join('')
  return escapeHtml(String(value))
}

/** For text and for attributes in quotes. */
export function escapeHtml(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }
  return visible(text).replace(/[&<>"']/g, (character) => entities[character] ?? '')
}
