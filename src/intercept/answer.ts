/** An answer in place of the Hub's. */
export interface Answer {
  status: number
  headers: Record<string, string>
  /** What the body is: a text, or a part of a file, `end` not included. */
  body?: string | { file: string; start: number; end: number }
}

/** The part of a file that a `Range` header asks for; undefined for all of it, `none` where there is no such part. */
export function partOf(range: string | undefined, size: number): { start: number; end: number } | 'none' | undefined {
  // Several ranges, other units and nonsense are ignored, as RFC 9110 (14.2) allows.
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(range?.replaceAll(' ', '') ?? '') ?? []
  if (first === '' && last === '') return undefined
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first)
  const end = first === '' || last === '' ? size : Math.min(Number(last) + 1, size)
  return start < end ? { start, end } : 'none'
}

/** Types by the ending, as the Hub gives them. */
export function contentTypeOf(path: string): string {
  if (/\.(json|jsonl|txt|md|yml|yaml|jinja|py|gitattributes)$/.test(path)) return 'text/plain; charset=utf-8'
  return 'application/octet-stream'
}
