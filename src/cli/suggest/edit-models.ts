import { readFile } from 'node:fs/promises'
import { basename, extname } from 'node:path'
import { selectedKey } from '../../model/model.ts'
import { addJestModels, addJestModelsToJson } from '../config/add-jest-models.ts'
import { addModels } from '../config/add-models.ts'
import { type ConfigEdit, problemOf } from '../config/check-edit.ts'
import type { Runner } from '../config/choose-runner.ts'
import { parseJsonObject } from '../config/json-source.ts'
import { NOT_PARSED, parseSource } from '../config/syntax.ts'
import type { Suggestion } from './used-models.ts'

/** The edit of a config that declares the suggested models; a text says why there is none. */
export async function editModels(
  runner: Runner,
  path: string,
  suggestions: Suggestion[],
): Promise<ConfigEdit | string> {
  const before = await readFile(path, 'utf8')
  const isJson = extname(path) === '.json'
  const program = await (isJson ? parseJsonObject(before) : parseSource(before))
  if (!program) return NOT_PARSED
  const key = basename(path) === 'package.json' ? 'jest' : undefined
  const add = runner === 'vitest' ? addModels : addJestModels
  const after = isJson ? addJestModelsToJson(before, program, suggestions, key) : add(before, program, suggestions)
  if (after === undefined) return 'It has an unusual shape.'
  const edit = { runner, path, before, after }
  if (after === before) return edit
  const problem = await problemOf(edit, ({ models }) => {
    const declared = new Set(models.map(selectedKey))
    return suggestions.every((suggestion) => declared.has(selectedKey({ ...suggestion, selection: suggestion.fields })))
  })
  return problem === undefined ? edit : `With these models it could not be read: ${problem}`
}
