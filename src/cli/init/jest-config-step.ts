import { basename, dirname, extname, relative } from 'node:path'
import { findJestConfig } from '../../config/jest/config-file.ts'
import { problemOf } from '../config/check-edit.ts'
import { parseJsonObject } from '../config/json-source.ts'
import type { JestConfig } from '../config/read-jest.ts'
import { NOT_PARSED, parseSource } from '../config/syntax.ts'
import { addPreset, JEST_MODULE, WRAPPER, wrapJest } from '../config/wrap-jest.ts'
import { isModulePackage, readText } from './read-text.ts'
import type { Step } from './step.ts'

const IMPORT = `import { ${WRAPPER} } from '${JEST_MODULE}'`

const REQUIRE = `const { ${WRAPPER} } = require('${JEST_MODULE}')`

/** Wraps the Jest config of a folder by `withModelCache()`, adds the preset to one in JSON, or makes a config. */
export async function jestConfigStep(folder: string, config: JestConfig | undefined): Promise<Step> {
  const file = findJestConfig(folder)
  if (file === undefined) return newConfig(folder)
  const path = relative(folder, file)
  if (config?.options.length) return { kind: 'done', path, what: 'has modelCache' }
  const isInManifest = basename(file) === 'package.json'
  const before = readText(file) ?? ''
  const paste = (why: string): Step => ({ kind: 'paste', path, why, lines: linesFor(isInManifest, before) })
  if (dirname(file) !== folder) return paste('It is the config of another folder.')
  const after = extname(file) === '.json' ? await editJson(before, isInManifest) : await editModule(before)
  if (typeof after !== 'string') return paste(after.why)
  const problem = await problemOf({ runner: 'jest', path: file, before, after }, () => true)
  if (problem === undefined) return { kind: 'write', path, what: 'add the model cache', before, after }
  const hasProjects = config && config.projects.length > 1
  if (hasProjects) return paste('Its projects have configs of their own. Wrap those, and this one for the report.')
  return paste(`With the model cache it could not be read: ${problem}`)
}

interface Refusal {
  why: string
}

async function editModule(before: string): Promise<string | Refusal> {
  const program = await parseSource(before)
  if (!program) return { why: NOT_PARSED }
  return wrapJest(before, program) ?? { why: 'It has an unusual shape.' }
}

async function editJson(before: string, isInManifest: boolean): Promise<string | Refusal> {
  const root = await parseJsonObject(before)
  if (!root) return { why: 'It can not be parsed.' }
  const after = addPreset(before, root, isInManifest ? 'jest' : undefined)
  return (
    after ?? { why: 'It has a preset, or a setting that would replace a part of ours. `withModelCache()` keeps both.' }
  )
}

function newConfig(folder: string): Step {
  const path = `jest.config.${isModulePackage(folder) ? 'js' : 'mjs'}`
  const after = `${IMPORT}\n\nexport default ${WRAPPER}({})\n`
  return { kind: 'write', path, what: 'make a Jest config with the model cache', before: undefined, after }
}

function linesFor(isInManifest: boolean, before: string): string[] {
  const call = `${WRAPPER}({ ...config, modelCache: {} })`
  if (before.includes('module.exports')) return [REQUIRE, `module.exports = ${call}`]
  const where = isInManifest ? ['// jest.config.mjs, in place of the key `jest` of package.json'] : []
  return [...where, IMPORT, `export default ${call}`]
}
