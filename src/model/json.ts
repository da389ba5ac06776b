// What was read as JSON is outside input. Small shapes that every run looks at are checked by these; a schema library would be
// loaded and run for them.

/** An object of which nothing is known. */
export type Fields = Readonly<Record<string, unknown>>

export function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null
}

export function isText(value: unknown): value is string {
  return typeof value === 'string'
}

export function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every(isText)
}

/** A whole number from 0 on. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0
}
