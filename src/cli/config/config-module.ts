import { type Edit, newlineOf } from './insertion.ts'
import { allNodes, child, children, type Node, nameOfCall, textOf, unwrap } from './syntax.ts'

/** The expression or function that a config file exports: as the default of an ES module, or as `module.exports`. */
export function exportedConfig(program: Node): Node | undefined {
  for (const statement of children(program, 'body')) {
    if (statement.type === 'ExportDefaultDeclaration') return child(statement, 'declaration')
    const assignment = child(statement, 'expression')
    const target = child(assignment, 'left')
    const isModule = textOf(child(target, 'object'), 'name') === 'module'
    if (
      assignment?.type === 'AssignmentExpression' &&
      isModule &&
      textOf(child(target, 'property'), 'name') === 'exports'
    )
      return child(assignment, 'right')
  }
  return undefined
}

/** The object literal of the exported config. Undefined if it has an unusual shape. */
export function exportedObject(program: Node): Node | undefined {
  return objectIn(exportedConfig(program), program)
}

/** The object literal of a config: also that in `defineConfig()`, in the last argument of `mergeConfig()`, and in a function that returns it. */
export function objectIn(expression: Node | undefined, program: Node): Node | undefined {
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

/** Imports `name`: after the last import, in its quotes and with its semicolon; else at the top, with a semicolon if the last statement has one. */
export function importEdit(source: string, program: Node, name: string, module: string): Edit {
  const body = children(program, 'body')
  const isModule = body.some(({ type }) => /^(Import|Export)/.test(type))
  const last = body.findLast((statement) => (isModule ? statement.type === 'ImportDeclaration' : isRequire(statement)))
  const like = last ? source.slice(last.start, last.end) : ''
  const quote = /["'](?=[^"']*["']\)?;?$)/.exec(like)?.[0] ?? "'"
  const sample = last ?? body.at(-1)
  const end = sample && source[sample.end - 1] === ';' ? ';' : ''
  const from = `${quote}${module}${quote}`
  const line = isModule ? `import { ${name} } from ${from}${end}` : `const { ${name} } = require(${from})${end}`
  const newline = newlineOf(source)
  if (last) return { start: last.end, end: last.end, text: `${newline}${line}` }
  const directive = body.findLast((statement) => textOf(statement, 'directive') !== undefined)
  if (directive) return { start: directive.end, end: directive.end, text: `${newline}${line}` }
  const at = /^\uFEFF?(?:#!.*\r?\n|\/\/\/.*\r?\n|\s*\n)*/.exec(source)?.[0].length ?? 0
  return { start: at, end: at, text: `${line}${newline}` }
}

function isRequire(statement: Node): boolean {
  return children(statement, 'declarations').some((declarator) => nameOfCall(child(declarator, 'init')) === 'require')
}
