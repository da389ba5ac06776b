import { readFile } from 'node:fs/promises'
import { modelKey } from '../../model/model.ts'
import { selectionKey } from '../../model/selection.ts'
import { addModels } from '../config/add-models.ts'
import { type ConfigEdit, problemOf } from '../config/check-edit.ts'
import { parseSource } from '../config/syntax.ts'
import type { Suggestion } from './used-models.ts'

/** The edit of a config that declares the suggested models; a text says why there is none. */
export async function editModels(path: string, suggestions: Suggestion[]): Promise<ConfigEdit | string> {
  const before = await readFile(path, 'utf8')
  const program = await parseSource(before)
  if (!program) return 'The parser of the installed Vite can not read its TypeScript.'
  const after = addModels(before, program, suggestions)
  if (after === undefined) return 'It has an unusual shape.'
  const edit = { path, before, after }
  if (after === before) return edit
  const problem = await problemOf(edit, ({ models }) => {
    const declared = new Set(models.map((model) => `${modelKey(model)} ${selectionKey(model.selection)}`))
    return suggestions.every((suggestion) => declared.has(`${modelKey(suggestion)} ${selectionKey(suggestion.fields)}`))
  })
  return problem === undefined ? edit : `With these models it could not be read: ${problem}`
}
