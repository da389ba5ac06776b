import type { Node } from '@babel/types'
import type { Expression } from './facts.ts'

/** Longer texts name no model, no task and no address. */
const LONGEST_TEXT = 300
const MOST_ITEMS = 100

/** The value of a parameter that a name means. Undefined for a name that is no parameter of a function around. */
export type Parameters = (name: string) => Expression | undefined

/** The text of a literal. */
export function literal(node: Node | null | undefined): string | undefined {
  if (node?.type === 'StringLiteral') return node.value
  if (node?.type !== 'TemplateLiteral' || node.expressions.length > 0) return undefined
  return node.quasis[0]?.value.cooked ?? undefined
}

/** The module of a dynamic import, or of `require`. */
export function importedModule(node: Node): Node | undefined {
  if (node.type === 'ImportExpression') return node.source
  if (node.type !== 'CallExpression') return undefined
  const isImport =
    node.callee.type === 'Import' || (node.callee.type === 'Identifier' && node.callee.name === 'require')
  return isImport ? node.arguments[0] : undefined
}

/** What can be known of an expression without running it. Pure. */
export function expressionOf(node: Node | null | undefined, parameters: Parameters): Expression {
  if (!node) return null
  const read = (node: Node | null | undefined) => expressionOf(node, parameters)
  const text = literal(node)
  if (text !== undefined) return text.length > LONGEST_TEXT ? null : text
  switch (node.type) {
    case 'NumericLiteral':
    case 'BooleanLiteral':
      return node.value
    case 'TemplateLiteral':
      return {
        text: node.quasis.flatMap(({ value }, index) => [value.cooked ?? null, ...more(node.expressions[index], read)]),
      }
    case 'Identifier':
      if (node.name === 'undefined') return { any: [] }
      return parameters(node.name) === undefined ? { ref: node.name } : (parameters(node.name) ?? null)
    case 'MemberExpression':
    case 'OptionalMemberExpression': {
      const key = keyOf(node.property, node.computed)
      const of = read(node.object)
      return key === undefined || of === null ? null : { get: of, key }
    }
    case 'ObjectExpression':
      return fieldsOf(node.properties, read)
    case 'ArrayExpression':
      return { items: node.elements.slice(0, MOST_ITEMS).map(read) }
    case 'ConditionalExpression':
      return { any: [read(node.consequent), read(node.alternate)] }
    case 'LogicalExpression':
      return { first: read(node.left), or: read(node.right) }
    case 'BinaryExpression':
      return node.operator === '+' ? { text: [read(node.left), read(node.right)] } : null
    case 'AssignmentExpression':
      return read(node.right)
    case 'AwaitExpression':
      return read(node.argument)
    case 'TSAsExpression':
    case 'TSSatisfiesExpression':
    case 'TSNonNullExpression':
    case 'TSTypeAssertion':
    case 'TypeCastExpression':
    case 'ParenthesizedExpression':
      return read(node.expression)
    case 'ImportExpression':
    case 'CallExpression':
    case 'NewExpression':
      return valueOfCall(node, read)
    default:
      return null
  }
}

function more(node: Node | undefined, read: (node: Node) => Expression): Expression[] {
  return node ? [read(node)] : []
}

/** The key of a property, as far as it is literal. */
export function keyOf(node: Node, isComputed: boolean): string | undefined {
  if (node.type === 'Identifier' && !isComputed) return node.name
  if (node.type === 'NumericLiteral') return String(node.value)
  return literal(node)
}

function fieldsOf(properties: Node[], read: (node: Node) => Expression): Expression {
  const fields = new Map<string, Expression>()
  let isOpen = properties.length > MOST_ITEMS
  for (const property of properties.slice(0, MOST_ITEMS)) {
    const key = property.type === 'ObjectProperty' ? keyOf(property.key, property.computed) : undefined
    if (key === undefined || property.type !== 'ObjectProperty') isOpen = true
    else fields.set(key, read(property.value))
  }
  return { fields: Object.fromEntries(fields), isOpen }
}

/** The functions that return their argument, or its parts. */
const PASS_ON = ['Object.freeze', 'Object.values', 'structuredClone', 'URL', 'String']

function valueOfCall(node: Node, read: (node: Node | null | undefined) => Expression): Expression {
  const module = importedModule(node)
  if (module) {
    const from = literal(module)
    return from === undefined ? null : { from, name: '*' }
  }
  if (node.type !== 'CallExpression' && node.type !== 'NewExpression') return null
  const [first] = node.arguments
  const name = calleeName(node.callee)
  if (name !== undefined && PASS_ON.includes(name) && node.arguments.length === 1) return read(first)
  // `vi.hoisted(() => ...)` returns what its function returns.
  if (name?.endsWith('.hoisted') && first?.type === 'ArrowFunctionExpression') return read(first.body)
  return null
}

/** `a.b.c` for a chain of names. Undefined for any other callee. */
export function calleeName(node: Node): string | undefined {
  if (node.type === 'Identifier') return node.name
  if (node.type !== 'MemberExpression' && node.type !== 'OptionalMemberExpression') return undefined
  const of = calleeName(node.object)
  const key = keyOf(node.property, node.computed)
  return of === undefined || key === undefined ? undefined : `${of}.${key}`
}
