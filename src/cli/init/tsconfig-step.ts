import { join } from 'node:path'
import { nameMatcher } from '../../cache/selection/glob.ts'
import { applyEdits, insertFirst } from '../config/insertion.ts'
import { child, children, type Node, parseSource, propertyOf, textOf } from '../config/syntax.ts'
import { readText } from './read-text.ts'
import type { Step } from './step.ts'

const FILE = 'tsconfig.json'
const LINE = '"compilerOptions": { "types": ["node", "vitest-model-cache"] }'

/**
 * Makes `models` of the test context known to TypeScript. It is known if TypeScript reads the config file. Otherwise `types` must
 * name the package. Undefined if there is nothing to do.
 */
export async function tsconfigStep(folder: string, configFile: string): Promise<Step | undefined> {
  const before = readText(join(folder, FILE))
  if (before === undefined || before.includes('"vitest-model-cache')) return undefined
  // JSON with comments is JavaScript. The line break ends a comment in the last line.
  const source = `(${before}\n)`
  const program = await parseSource(source)
  const [statement] = children(program, 'body')
  const expression = child(statement, 'expression')
  const root = expression?.type === 'ParenthesizedExpression' ? child(expression, 'expression') : expression
  if (root?.type !== 'ObjectExpression') return paste('It could not be read.')
  if (includes(root, configFile)) return undefined
  const compilerOptions = child(propertyOf(root, 'compilerOptions'), 'value')
  const types = compilerOptions && child(propertyOf(compilerOptions, 'types'), 'value')
  // What else is visible depends on other files, or on the version of TypeScript.
  if (types?.type !== 'ArrayExpression') return paste('It does not include the Vitest config, and has no `types`.')
  const edit = insertFirst(source, types, ['"vitest-model-cache"'])
  const after = applyEdits(source, [edit]).slice(1, -2)
  return { kind: 'write', path: FILE, what: 'add the type of `models` in tests', before, after }
}

/** True where TypeScript reads the config file: by `include`, or for want of both lists. */
function includes(root: Node, configFile: string): boolean {
  const [files, include] = ['files', 'include'].map((name) => child(propertyOf(root, name), 'value'))
  if (!files && !include) return !propertyOf(root, 'extends')
  const patterns = [...children(files, 'elements'), ...children(include, 'elements')]
  return patterns.some((pattern) => nameMatcher(textOf(pattern, 'value') ?? '')(configFile))
}

function paste(why: string): Step {
  return { kind: 'paste', path: FILE, why: `${why} Tests may lack the types of \`models\`.`, lines: [LINE] }
}
