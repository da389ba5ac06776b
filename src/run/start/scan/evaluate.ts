import type { Node } from '@babel/types'
import { importedModule, isFunction, keyOf, literal } from './syntax.ts'
import {
  type Binding,
  combinations,
  isPlain,
  MORE,
  type Module,
  ProjectFunction,
  type Scope,
  UNKNOWN,
  Unknown,
  WholeModule,
} from './values.ts'

const DEEPEST = 30
const MOST_VALUES = 50
/** A name such as `result`, with more declarations in one file, is not the same everywhere. */
const MOST_BINDINGS = 5
/** A larger object or list is data. */
const MOST_PARTS = 200

/** All values that an expression can have, as far as they can be known without running it. */
export function valuesOf(node: Node | null | undefined, scope: Scope): unknown[] {
  const { code } = scope
  if (!node || code.depth > DEEPEST || !code.step()) {
    code.passing++
    return [UNKNOWN]
  }
  code.depth++
  const values = new Set(evaluate(node, scope))
  code.depth--
  return [...values].slice(0, MOST_VALUES)
}

function evaluate(node: Node, scope: Scope): unknown[] {
  const text = literal(node)
  if (text !== undefined) return [text]
  switch (node.type) {
    case 'NumericLiteral':
    case 'BooleanLiteral':
      return [node.value]
    case 'Identifier':
      return node.name === 'undefined' ? [] : named(node.name, scope)
    case 'MemberExpression':
    case 'OptionalMemberExpression': {
      const key = keyOf(node.property, node.computed)
      if (node.object.type === 'ThisExpression') return named(`this.${key}`, scope)
      return key === undefined ? [UNKNOWN] : membersOf(valuesOf(node.object, scope), key, scope)
    }
    case 'ObjectExpression': {
      const keyOfField = (field: Node) =>
        field.type === 'ObjectProperty' ? keyOf(field.key, field.computed) : undefined
      const fields = node.properties.slice(0, MOST_PARTS)
      const keys = fields.map((field) => keyOfField(field) ?? MORE)
      const values = fields.map((field) => (field.type === 'ObjectProperty' ? valuesOf(field.value, scope) : [UNKNOWN]))
      if (fields.length < node.properties.length) {
        keys.push(MORE)
        values.push([UNKNOWN])
      }
      return combinations(values).map((each) => Object.fromEntries(each.map((value, index) => [keys[index], value])))
    }
    case 'ArrayExpression':
      if (node.elements.length > MOST_PARTS) return [UNKNOWN]
      return combinations(node.elements.map((item) => valuesOf(item, scope)))
    case 'ConditionalExpression':
      return [...valuesOf(node.consequent, scope), ...valuesOf(node.alternate, scope)]
    case 'LogicalExpression': {
      const values = valuesOf(node.left, scope).filter((value) => !(value instanceof Unknown))
      return values.length > 0 ? values : valuesOf(node.right, scope)
    }
    case 'AwaitExpression':
      return valuesOf(node.argument, scope)
    case 'TSAsExpression':
    case 'TSSatisfiesExpression':
    case 'TSNonNullExpression':
    case 'ParenthesizedExpression':
      return valuesOf(node.expression, scope)
    default: {
      const specifier = literal(importedModule(node))
      if (specifier !== undefined) return imported(specifier, '*', scope)
      if (scope.locals.size > 0) scope.code.passing++
      return [isFunction(node) ? new ProjectFunction(node, scope) : UNKNOWN]
    }
  }
}

/** The values of a name. */
export function named(name: string, scope: Scope): unknown[] {
  const { code, locals, module } = scope
  const local = locals.get(name)
  if (local) code.passing++
  const known = local?.(scope) ?? module.known.get(name)
  if (known) return known
  const before = code.passing
  const bindings = module.names.get(name) ?? []
  const values = bindings.length > 0 ? valuesOfAll(bindings, scope) : [UNKNOWN]
  if (code.passing === before) module.known.set(name, values)
  return values
}

export function valuesOfAll(bindings: Binding[], scope: Scope): unknown[] {
  if (bindings.length > MOST_BINDINGS) return [UNKNOWN]
  return bindings.flatMap((binding) => (scope.code.step() ? binding(scope) : [UNKNOWN]))
}

/** What a module exports under a name. `*` is the module itself. */
export function imported(specifier: string, name: string, scope: Scope): unknown[] {
  const path = scope.module.targets.get(specifier)
  if (name === '*') return [new WholeModule(specifier, path)]
  return path === undefined ? [new Unknown({ from: specifier, name })] : exported(path, name, scope)
}

function exported(path: string, name: string, { code }: Scope): unknown[] {
  const module = code.modules.get(path)
  const key = JSON.stringify([path, name])
  if (!module || code.depth > DEEPEST || code.sought.has(key) || !code.step()) {
    code.passing++
    return [UNKNOWN]
  }
  code.depth++
  code.sought.add(key)
  const values = exportedBy(module, name, { code, module, locals: new Map() })
  code.sought.delete(key)
  code.depth--
  return values
}

function exportedBy({ exports, stars }: Module, name: string, scope: Scope): unknown[] {
  const own = exports.get(name)
  if (own) return own(scope)
  // JSON files and CommonJS export one object.
  const ofWhole = membersOf(exports.get('default')?.(scope) ?? [], name, scope)
  const values = [...ofWhole, ...stars.flatMap((star) => imported(star, name, scope))]
  const known = values.filter((value) => !(value instanceof Unknown))
  return known.length > 0 ? known : [UNKNOWN]
}

/** The values of a field of objects, or of an export of modules. */
function membersOf(values: unknown[], key: string, scope: Scope): unknown[] {
  return values.flatMap((value) => {
    if (value instanceof Unknown) return [value]
    if (value instanceof WholeModule)
      return value.path === undefined ? imported(value.specifier, key, scope) : exported(value.path, key, scope)
    if (!isPlain(value)) return [UNKNOWN]
    const field = Object.hasOwn(value, key) ? value[key] : undefined
    return field === undefined ? (Object.hasOwn(value, MORE) ? [UNKNOWN] : []) : [field]
  })
}

/** Gives the names of a pattern their parts of a value. */
export function bind(pattern: Node, value: Binding, add: (name: string, value: Binding) => void): void {
  const member =
    (key: string): Binding =>
    (scope) =>
      membersOf(value(scope), key, scope)
  switch (pattern.type) {
    case 'Identifier':
      add(pattern.name, value)
      return
    case 'AssignmentPattern':
      bind(pattern.left, (scope) => orDefault(value(scope), pattern.right, scope), add)
      return
    case 'ObjectPattern':
      for (const property of pattern.properties) {
        const key = property.type === 'ObjectProperty' ? keyOf(property.key, property.computed) : undefined
        if (property.type === 'ObjectProperty' && key !== undefined) bind(property.value, member(key), add)
      }
      return
    case 'ArrayPattern':
      for (const [index, element] of pattern.elements.entries()) if (element) bind(element, member(String(index)), add)
  }
}

function orDefault(values: unknown[], node: Node, scope: Scope): unknown[] {
  return values.length > 0 ? values : valuesOf(node, scope)
}
