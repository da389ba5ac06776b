import type { Node } from '@babel/types'
import { isObject, isText } from '../../../model/json.ts'
import { calleeName, keyOf } from './expression.ts'

// Code of tests that may not run, such as `test.skipIf(!process.env.E2E)`. A model that only such code names is not downloaded ahead: it
// may be large, and not needed in any run.

const ALWAYS = /^(xit|xtest|xdescribe)(\.|$)|^(test|it|describe|suite)\b.*\.(skip|todo)$/
const PERHAPS = /\.(skipIf|runIf)$/

/** True for a test or a suite that is skipped, or that may be. `conditional`: the names of functions that may skip what they get. */
export function mayBeSkipped(callee: Node, args: Node[], conditional: ReadonlySet<string>): boolean {
  const name = calleeName(callee) ?? ''
  const outer = callee.type === 'CallExpression' ? (calleeName(callee.callee) ?? '') : ''
  const [first = ''] = name.split('.', 1)
  return (
    ALWAYS.test(name) ||
    [name, outer].some((name) => PERHAPS.test(name)) ||
    conditional.has(first) ||
    args.some(saysSkip)
  )
}

/** True for the options `{ skip: true }` of a test. */
function saysSkip(node: Node): boolean {
  if (node.type !== 'ObjectExpression') return false
  return node.properties.some(
    (property) =>
      property.type === 'ObjectProperty' &&
      /^(skip|todo)$/.test(keyOf(property.key, property.computed) ?? '') &&
      !(property.value.type === 'BooleanLiteral' && !property.value.value),
  )
}

/** True for a function such as `process.env.E2E ? test : test.skip`. */
export function choosesSkip(node: Node | null | undefined): boolean {
  if (!node) return false
  if (node.type === 'ConditionalExpression') return choosesSkip(node.consequent) || choosesSkip(node.alternate)
  if (node.type === 'LogicalExpression') return choosesSkip(node.left) || choosesSkip(node.right)
  if (node.type === 'CallExpression') return PERHAPS.test(calleeName(node.callee) ?? '')
  return ALWAYS.test(calleeName(node) ?? '')
}

/** True if a test or a hook may skip itself. It calls `context.skip()`, or an `if` in it returns early. */
export function maySkipItself(node: Node): boolean {
  if (!('body' in node) || !isNode(node.body) || node.body.type !== 'BlockStatement') return false
  return node.body.body.some((statement) => isEarlyEnd(statement) || isCallOfSkip(statement))
}

function isEarlyEnd(statement: Node): boolean {
  if (statement.type !== 'IfStatement') return false
  const { consequent } = statement
  const inner = consequent.type === 'BlockStatement' ? consequent.body : [consequent]
  return inner.some((statement) => statement.type === 'ReturnStatement' || isCallOfSkip(statement))
}

function isCallOfSkip(statement: Node): boolean {
  if (statement.type !== 'ExpressionStatement' || statement.expression.type !== 'CallExpression') return false
  return /(^|\.)skip$/.test(calleeName(statement.expression.callee) ?? '')
}

function isNode(value: unknown): value is Node {
  return isObject(value) && isText(value.type)
}
