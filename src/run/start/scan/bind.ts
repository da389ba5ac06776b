import type { Node } from '@babel/types'
import { keyOf } from './expression.ts'
import type { Expression } from './facts.ts'

/** Gives the names of a pattern their parts of a value. `read`: the values of defaults. */
export function bind(
  pattern: Node,
  value: Expression,
  read: (node: Node) => Expression,
  add: (name: string, value: Expression) => void,
): void {
  const part = (pattern: Node, key: string) => bind(pattern, value === null ? null : { get: value, key }, read, add)
  switch (pattern.type) {
    case 'Identifier':
      add(pattern.name, value)
      return
    case 'AssignmentPattern':
      bind(pattern.left, { first: value, or: read(pattern.right) }, read, add)
      return
    case 'ObjectPattern':
      for (const property of pattern.properties) {
        const key = property.type === 'ObjectProperty' ? keyOf(property.key, property.computed) : undefined
        if (property.type === 'ObjectProperty' && key !== undefined) part(property.value, key)
      }
      return
    case 'ArrayPattern':
      for (const [index, element] of pattern.elements.entries()) if (element) part(element, String(index))
  }
}
