import { modelLabel } from '../../model/model.ts'
import { sourceOf } from '../../report/declare.ts'
import type { Suggestion } from './used-models.ts'

/** The source of one element of `models`. */
export function elementOf(suggestion: Suggestion): string {
  return sourceOf(declarationOf(suggestion))
}

/** The same in JSON. */
export function jsonElementOf(suggestion: Suggestion): string {
  return jsonOf(declarationOf(suggestion))
}

function declarationOf({ repo, revision, fields }: Suggestion): unknown {
  const label = modelLabel({ repo, revision })
  return Object.keys(fields).length === 0 ? label : { repo: label, ...fields }
}

/** On one line, with spaces. */
function jsonOf(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(jsonOf).join(', ')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const fields = Object.entries(value).map(([name, field]) => `${JSON.stringify(name)}: ${jsonOf(field)}`)
  return `{ ${fields.join(', ')} }`
}

/** `models: [...]`, ready to paste into the options of `modelCache()`. */
export function modelsSource(suggestions: Suggestion[]): string {
  return ['models: [', ...suggestions.map((suggestion) => `  ${elementOf(suggestion)},`), '],'].join('\n')
}
