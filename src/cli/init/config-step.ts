import { existsSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { addPlugin } from '../config/add-plugin.ts'
import { problemOf } from '../config/check-edit.ts'
import type { VitestConfig } from '../config/read-vitest.ts'
import { allNodes, NOT_PARSED, nameOfCall, parseSource } from '../config/syntax.ts'
import { isModulePackage, readText } from './read-text.ts'
import type { Step } from './step.ts'

const IMPORT = "import { modelCache } from 'vitest-model-cache'"
const NEW_CONFIG = `import { defineConfig } from 'vitest/config'
${IMPORT}

export default defineConfig({
  plugins: [modelCache()],
})
`

/** Adds `modelCache()` to the Vitest config of a folder, or makes a config. */
export async function configStep(folder: string, { file, options }: VitestConfig): Promise<Step> {
  if (file === undefined) return newConfig(folder)
  const path = relative(folder, file)
  if (options) return { kind: 'done', path, what: 'has modelCache()' }
  if (dirname(file) !== folder) return paste(path, 'It is the config of another folder.')
  const before = readText(file) ?? ''
  const program = await parseSource(before)
  if (!program) return paste(path, NOT_PARSED)
  // It may be the plugin of one of its projects.
  if ([...allNodes(program)].some((node) => nameOfCall(node) === 'modelCache'))
    return { kind: 'done', path, what: 'calls modelCache()' }
  const after = addPlugin(before, program)
  if (after === undefined) return paste(path, 'It has an unusual shape.')
  const problem = await problemOf({ runner: 'vitest', path: file, before, after }, () => true)
  if (problem !== undefined) return paste(path, `With modelCache() it could not be read: ${problem}`)
  return { kind: 'write', path, what: 'add modelCache() to its plugins', before, after }
}

function newConfig(folder: string): Step {
  const hasTypes = existsSync(join(folder, 'tsconfig.json'))
  // Vite warns about a config with `import` that Node.js would read as CommonJS.
  const path = `vitest.config.${isModulePackage(folder) ? '' : 'm'}${hasTypes ? 'ts' : 'js'}`
  return { kind: 'write', path, what: 'make a Vitest config with modelCache()', before: undefined, after: NEW_CONFIG }
}

function paste(path: string, why: string): Step {
  return { kind: 'paste', path, why, lines: [IMPORT, 'plugins: [modelCache()],'] }
}
