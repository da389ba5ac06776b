import { join } from 'node:path'
import { nameMatcher } from '../../cache/selection/glob.ts'
import type { Runner } from '../config/choose-runner.ts'
import { applyEdits, insertFirst } from '../config/insertion.ts'
import { asSource, fromSource, parseJsonObject } from '../config/json-source.ts'
import { child, children, type Node, propertyOf, textOf } from '../config/syntax.ts'
import { readText } from './read-text.ts'
import type { Step } from './step.ts'

const FILE = 'tsconfig.json'

/** What makes `models` known to TypeScript: of the test context, or the global one. */
const TYPES = { vitest: 'vitest-model-cache', jest: 'vitest-model-cache/jest/globals' }

/**
 * Makes `models` known to TypeScript. That of Vitest's test context is known if TypeScript reads the config file. Otherwise `types` must
 * name it. Undefined if there is nothing to do.
 */
export async function tsconfigStep(folder: string, runner: Runner, configFile: string): Promise<Step | undefined> {
  const before = readText(join(folder, FILE))
  const name = `"${TYPES[runner]}"`
  const isNamed = before?.includes(runner === 'vitest' ? name.slice(0, -1) : name)
  if (before === undefined || isNamed) return undefined
  const paste = (why: string): Step => {
    const lines = [`"compilerOptions": { "types": ["node", ${runner === 'jest' ? '"jest", ' : ''}${name}] }`]
    return { kind: 'paste', path: FILE, why: `${why} Tests may lack the types of \`models\`.`, lines }
  }
  const root = await parseJsonObject(before)
  if (!root) return paste('It could not be read.')
  if (runner === 'vitest' && includes(root, configFile)) return undefined
  const compilerOptions = child(propertyOf(root, 'compilerOptions'), 'value')
  const types = compilerOptions && child(propertyOf(compilerOptions, 'types'), 'value')
  // What else is visible depends on other files, or on the version of TypeScript.
  if (types?.type !== 'ArrayExpression')
    return paste(
      runner === 'vitest' ? 'It does not include the Vitest config, and has no `types`.' : 'It has no `types`.',
    )
  const source = asSource(before)
  const after = fromSource(applyEdits(source, [insertFirst(source, types, [name])]))
  return { kind: 'write', path: FILE, what: 'add the type of `models` in tests', before, after }
}

/** True where TypeScript reads the config file: by `include`, or for want of both lists. */
function includes(root: Node, configFile: string): boolean {
  const [files, include] = ['files', 'include'].map((name) => child(propertyOf(root, name), 'value'))
  if (!files && !include) return !propertyOf(root, 'extends')
  const patterns = [...children(files, 'elements'), ...children(include, 'elements')]
  return patterns.some((pattern) => nameMatcher(textOf(pattern, 'value') ?? '')(configFile))
}
