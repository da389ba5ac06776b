/** An answer in place of the Hub's. */
export interface Answer {
  status: number
  headers: Record<string, string>
  /** A text, or a part of a file without the byte at `end`. */
  body?: string | { file: string; start: number; end: number }
}

/** The part of a file that a `Range` header asks for. Undefined for the whole file, `none` for a part outside the file. */
export function partOf(range: string | undefined, size: number): { start: number; end: number } | 'none' | undefined {
  // RFC 9110 (14.2) allows to ignore several ranges, other units and invalid headers.
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(range?.replaceAll(' ', '') ?? '') ?? []
  if (first === '' && last === '') return undefined
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first)
  const end = first === '' || last === '' ? size : Math.min(Number(last) + 1, size)
  return start < end ? { start, end } : 'none'
}

/** The content type that the Hub gives a file with this extension. */
export function contentTypeOf(path: string): string {
  if (/\.(json|jsonl|txt|md|yml|yaml|jinja|py|gitattributes)$/.test(path)) return 'text/plain; charset=utf-8'
  return 'application/octet-stream'
}
