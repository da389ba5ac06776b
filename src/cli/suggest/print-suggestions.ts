import { modelLabel } from '../../model/model.ts'
import { sourceOf } from '../../report/declare.ts'
import type { Suggestion } from './used-models.ts'

/** The source of one element of `models`. */
export function elementOf({ repo, revision, fields }: Suggestion): string {
  const label = modelLabel({ repo, revision })
  return Object.keys(fields).length === 0 ? sourceOf(label) : sourceOf({ repo: label, ...fields })
}

/** `models: [...]`, ready to paste into the options of `modelCache()`. */
export function modelsSource(suggestions: Suggestion[]): string {
  return ['models: [', ...suggestions.map((suggestion) => `  ${elementOf(suggestion)},`), '],'].join('\n')
}
