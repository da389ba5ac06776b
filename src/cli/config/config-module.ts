import type { Edit } from './insertion.ts'
import { child, children, type Node, nameOfCall, textOf } from './syntax.ts'

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
