import type { Node } from '@babel/types'
import { isObject, isText } from '../../../model/json.ts'
import type { FunctionNode } from './values.ts'

const FUNCTIONS =
  /^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression|ClassMethod|ClassPrivateMethod|ObjectMethod)$/
// Places in the text, and syntax of types, which has no values.
const OTHER_KEYS = new Set(
  'type start end loc extra typeAnnotation typeParameters typeArguments returnType superTypeParameters implements'.split(
    ' ',
  ),
)

/** Visits a node and all below it. Below a node for which `visit` returns true, it visits nothing. */
export function walk(node: Node, visit: (node: Node) => boolean): void {
  if (!visit(node)) for (const child of childrenOf(node)) walk(child, visit)
}

/** The nodes directly below a node that have values. */
export function childrenOf(node: Node): Node[] {
  const hasKey = (node.type === 'ObjectProperty' || node.type === 'ClassProperty') && !node.computed
  const children: Node[] = []
  for (const key of Object.keys(node)) {
    if (OTHER_KEYS.has(key) || (hasKey && key === 'key')) continue
    const value: unknown = Reflect.get(node, key)
    if (isNode(value)) children.push(value)
    else if (Array.isArray(value)) children.push(...value.filter(isNode))
  }
  return children
}

function isNode(value: unknown): value is Node {
  return isObject(value) && isText(value.type)
}

export function isFunction(node: Node | null | undefined): node is FunctionNode {
  return FUNCTIONS.test(node?.type ?? '')
}

/** The text of a literal. */
export function literal(node: Node | null | undefined): string | undefined {
  if (node?.type === 'StringLiteral') return node.value
  if (node?.type !== 'TemplateLiteral' || node.expressions.length > 0) return undefined
  return node.quasis[0]?.value.cooked ?? undefined
}

/** The key of a property, as far as it is literal. */
export function keyOf(node: Node, isComputed = false): string | undefined {
  if (node.type === 'Identifier' && !isComputed) return node.name
  return node.type === 'NumericLiteral' ? String(node.value) : literal(node)
}

/** `a.b.c` or `this.a` for a chain of names. Undefined for any other callee. */
export function calleeName(node: Node): string | undefined {
  if (node.type === 'Identifier') return node.name
  if (node.type === 'ThisExpression') return 'this'
  if (node.type !== 'MemberExpression' && node.type !== 'OptionalMemberExpression') return undefined
  const of = calleeName(node.object)
  const key = keyOf(node.property, node.computed)
  return of === undefined || key === undefined ? undefined : `${of}.${key}`
}

/** The module of a dynamic import, or of `require`. */
export function importedModule(node: Node): Node | undefined {
  if (node.type === 'ImportExpression') return node.source
  if (node.type !== 'CallExpression') return undefined
  const { callee, arguments: args } = node
  return callee.type === 'Import' || calleeName(callee) === 'require' ? args[0] : undefined
}
