import type { Node } from '@babel/types'
import { calleeName, isFunction, keyOf, walk } from './syntax.ts'
import type { FunctionNode, Module } from './values.ts'

// Code of tests that may not run, such as `test.skipIf(!process.env.E2E)`. A model that only such code names is not downloaded ahead: it
// may be large, and not needed in any run.

const SKIPS = /^(skip|todo|skipIf|runIf)$/
const SKIPPED = /^x(it|test|describe)\b|^(test|it|describe|suite)\b.*\.(skip|todo|skipIf|runIf)\b/

/** True for a test or a suite that is skipped, or that may be. `name`: the called function, such as `test.skipIf`. */
export function mayBeSkipped(name: string, args: Node[], { skipping }: Module): boolean {
  return SKIPPED.test(name) || skipping.has(name.split('.', 1)[0] ?? '') || args.some(saysSkip)
}

/** True for the options `{ skip: true }` of a test. */
function saysSkip(node: Node): boolean {
  if (node.type !== 'ObjectExpression') return false
  return node.properties.some(
    (property) =>
      property.type === 'ObjectProperty' &&
      SKIPS.test(keyOf(property.key, property.computed) ?? '') &&
      !(property.value.type === 'BooleanLiteral' && !property.value.value),
  )
}

/** True for a function such as `process.env.E2E ? test : test.skip`. */
export function mentionsSkip(init: Node): boolean {
  let found = false
  walk(init, (node) => {
    if (node.type === 'MemberExpression' && SKIPPED.test(calleeName(node) ?? '')) found = true
    return isFunction(node)
  })
  return found
}

/** True if a test or a hook may skip itself: by `context.skip()`, or by an `if` that returns early. */
export function maySkipItself({ body }: FunctionNode): boolean {
  return body.type === 'BlockStatement' && body.body.some((node) => node.type !== 'ReturnStatement' && mayEnd(node))
}

function mayEnd(node: Node): boolean {
  if (node.type === 'BlockStatement') return node.body.some(mayEnd)
  if (node.type === 'IfStatement') return mayEnd(node.consequent)
  if (node.type !== 'ExpressionStatement') return node.type === 'ReturnStatement'
  return node.expression.type === 'CallExpression' && /(^|\.)skip$/.test(calleeName(node.expression.callee) ?? '')
}
