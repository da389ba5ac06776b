import { applyEdits, type Edit, insertFirst } from './insertion.ts'
import { allNodes, child, children, hasSpread, type Node, nameOfCall, propertyOf, textOf, unwrap } from './syntax.ts'

const PACKAGE = 'vitest-model-cache'

/**
 * The source of a config with `modelCache()` among its plugins. Undefined where the config has an unusual shape: then nothing can be said
 * of where the plugin belongs. Pure.
 */
export function addPlugin(source: string, program: Node): string | undefined {
  const object = configObject(program)
  const plugins = object && pluginsEdit(source, object, program)
  const names = [...allNodes(program)].map((node) => (node.type === 'Identifier' ? textOf(node, 'name') : undefined))
  if (!plugins || names.includes('modelCache')) return undefined
  return applyEdits(source, [importEdit(source, program), plugins])
}

function pluginsEdit(source: string, object: Node, program: Node): Edit | undefined {
  const property = propertyOf(object, 'plugins')
  if (property) {
    const list = unwrap(child(property, 'value'), program)
    return list?.type === 'ArrayExpression' ? insertFirst(source, list, ['modelCache()']) : undefined
  }
  // The spread object may have `plugins`, which a second list would replace.
  return hasSpread(object) ? undefined : insertFirst(source, object, ['plugins: [modelCache()]'])
}

/** The object that holds the options: of an export, by ES module or CommonJS. */
function configObject(program: Node): Node | undefined {
  for (const statement of children(program, 'body')) {
    if (statement.type === 'ExportDefaultDeclaration') return objectIn(child(statement, 'declaration'), program)
    const assignment = child(statement, 'expression')
    const target = child(assignment, 'left')
    const isModule = textOf(child(target, 'object'), 'name') === 'module'
    if (
      assignment?.type === 'AssignmentExpression' &&
      isModule &&
      textOf(child(target, 'property'), 'name') === 'exports'
    )
      return objectIn(child(assignment, 'right'), program)
  }
  return undefined
}

/** Through `defineConfig()`, the last argument of `mergeConfig()`, and a function that returns the options. */
function objectIn(expression: Node | undefined, program: Node): Node | undefined {
  const node = unwrap(expression, program)
  if (node?.type === 'ObjectExpression') return node
  const name = nameOfCall(node)
  const args = children(node, 'arguments')
  if (name === 'defineConfig') return objectIn(args[0], program)
  if (name === 'mergeConfig') return args.length > 1 ? objectIn(args.at(-1), program) : undefined
  if (!node || !/Function/.test(node.type)) return undefined
  const body = child(node, 'body')
  if (body?.type !== 'BlockStatement') return objectIn(body, program)
  const returns = [...allNodes(body)].filter(({ type }) => type === 'ReturnStatement')
  const last = children(body, 'body').at(-1)
  return returns.length === 1 && last?.type === 'ReturnStatement'
    ? objectIn(child(last, 'argument'), program)
    : undefined
}

/** After the last import, in its quotes and with its semicolon; else at the top. */
function importEdit(source: string, program: Node): Edit {
  const body = children(program, 'body')
  const isModule = body.some(({ type }) => /^(Import|Export)/.test(type))
  const last = body.findLast((statement) => (isModule ? statement.type === 'ImportDeclaration' : isRequire(statement)))
  const like = last ? source.slice(last.start, last.end) : ''
  const quote = /["'](?=[^"']*["']\)?;?$)/.exec(like)?.[0] ?? "'"
  const end = like.endsWith(';') ? ';' : ''
  const from = `${quote}${PACKAGE}${quote}`
  const line = isModule ? `import { modelCache } from ${from}${end}` : `const { modelCache } = require(${from})${end}`
  const newline = source.includes('\r\n') ? '\r\n' : '\n'
  if (last) return { start: last.end, end: last.end, text: `${newline}${line}` }
  const directive = body.findLast((statement) => textOf(statement, 'directive') !== undefined)
  if (directive) return { start: directive.end, end: directive.end, text: `${newline}${line}` }
  const at = /^\uFEFF?(?:#!.*\r?\n|\/\/\/.*\r?\n|\s*\n)*/.exec(source)?.[0].length ?? 0
  return { start: at, end: at, text: `${line}${newline}` }
}

function isRequire(statement: Node): boolean {
  return children(statement, 'declarations').some((declarator) => nameOfCall(child(declarator, 'init')) === 'require')
}
