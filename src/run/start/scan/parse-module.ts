import { type ParserOptions, type ParserPlugin, parse } from '@babel/parser'
import type { Node } from '@babel/types'
import { bind, imported, valuesOf, valuesOfAll } from './evaluate.ts'
import { mentionsSkip } from './may-be-skipped.ts'
import { calleeName, importedModule, isFunction, keyOf, literal, walk } from './syntax.ts'
import type { Binding, Module } from './values.ts'

const ACCEPTED: ParserOptions = {
  sourceType: 'unambiguous',
  // A file that the test runner refuses is read as far as it goes.
  errorRecovery: true,
  attachComment: false,
  allowAwaitOutsideFunction: true,
  allowImportExportEverywhere: true,
  allowReturnOutsideFunction: true,
  allowUndeclaredExports: true,
}
const PROPOSALS: ParserPlugin[] = ['decoratorAutoAccessors', 'explicitResourceManagement']
const FLOW = /^\s*\/[/*][\s\S]{0,500}@flow\b/

/** Settings of `env` of transformers.js. */
const OWN_MODELS = /\.(allowRemoteModels|localModelPath|remoteHost|remotePathTemplate|customCache|fetch)\s*=[^=]/

/** The module of a source file. Undefined for a text that is no code. */
export function parseModule(text: string, path: string, targets: ReadonlyMap<string, string>): Module | undefined {
  try {
    const { program } = parseSource(text, path)
    const module: Module = {
      ...{
        path,
        program,
        targets,
        names: new Map(),
        known: new Map(),
        exports: new Map(),
        stars: [],
        mocks: [],
        skipping: new Set(),
      },
      hasOwnModels: OWN_MODELS.test(text),
      isOpen: false,
    }
    walk(program, (node) => declare(node, module))
    return module
  } catch {
    // The test runner reports the error.
    return undefined
  }
}

/** The syntax tree of TypeScript, JavaScript or JSON. */
function parseSource(text: string, path: string) {
  if (path.endsWith('.json')) return parse(`export default ${text}`, ACCEPTED)
  const isFlow = /\.[cm]?jsx?$/.test(path) && FLOW.test(text)
  const plugins: ParserPlugin[] = /\.[cm]?ts$/.test(path) ? ['typescript'] : [isFlow ? 'flow' : 'typescript', 'jsx']
  const parseWith = (decorators: ParserPlugin) =>
    parse(text, { ...ACCEPTED, plugins: [decorators, ...PROPOSALS, ...plugins] })
  try {
    return parseWith('decorators-legacy')
  } catch {
    // The decorators of the standard may stand after `export`.
    return parseWith(['decorators', { allowCallParenthesized: true }])
  }
}

/** Adds what a node declares. True if nothing below it declares anything. */
function declare(node: Node, module: Module): boolean {
  const { names, exports, targets } = module
  if (targets.get(specifierOf(node) ?? '') === '') module.isOpen = true
  const name = (name: string, value: Binding) => {
    const known = names.get(name)
    if (known) known.push(value)
    else names.set(name, [value])
  }
  switch (node.type) {
    case 'ImportDeclaration':
      for (const each of node.specifiers) {
        const key = each.type === 'ImportSpecifier' ? keyOf(each.imported) : undefined
        const exported = key ?? (each.type === 'ImportDefaultSpecifier' ? 'default' : '*')
        name(each.local.name, (scope) => imported(node.source.value, exported, scope))
      }
      return true
    case 'ExportAllDeclaration':
      module.stars.push(node.source.value)
      return true
    case 'ExportNamedDeclaration':
      exportNames(node, module)
      return false
    case 'ExportDefaultDeclaration':
      exports.set('default', (scope) => valuesOf(node.declaration, scope))
      return false
    case 'VariableDeclarator':
      if (node.init) bind(node.id, (scope) => valuesOf(node.init, scope), name)
      if (node.init && node.id.type === 'Identifier' && mentionsSkip(node.init)) module.skipping.add(node.id.name)
      return false
    case 'ClassProperty':
      if (node.value) name(`this.${keyOf(node.key, node.computed)}`, (scope) => valuesOf(node.value, scope))
      return false
    case 'FunctionDeclaration':
      if (node.id) name(node.id.name, (scope) => valuesOf(node, scope))
      return false
    case 'AssignmentExpression': {
      const value: Binding = (scope) => valuesOf(node.right, scope)
      const [, exported, own] =
        /^(?:module\.)?exports(?:\.(\w+))?$|^((?:this\.)?\w+)$/.exec(calleeName(node.left) ?? '') ?? []
      if (own !== undefined) name(own, value)
      else if (calleeName(node.left)?.includes('exports')) exports.set(exported ?? 'default', value)
      return false
    }
    case 'CallExpression':
      if (/^(vi|vitest|jest)\.(mock|doMock|unstable_mockModule)$/.test(calleeName(node.callee) ?? '')) {
        const [first, factory] = node.arguments
        const mocked = literal(first && (importedModule(first) ?? first))
        if (!(factory && keepsLoads(factory)) && mocked !== undefined) module.mocks.push(mocked)
      }
      return false
    default:
      return false
  }
}

/** The module that a node imports or exports, as it is written. Undefined for types. */
function specifierOf(node: Node): string | undefined {
  if (node.type === 'ImportDeclaration') return node.importKind === 'type' ? undefined : node.source.value
  if (node.type === 'ExportNamedDeclaration' || node.type === 'ExportAllDeclaration')
    return node.exportKind === 'type' ? undefined : node.source?.value
  return literal(importedModule(node))
}

function exportNames(node: Extract<Node, { type: 'ExportNamedDeclaration' }>, { exports }: Module): void {
  const { declaration, source, specifiers } = node
  const own =
    (name: string): Binding =>
    (scope) =>
      valuesOfAll(scope.module.names.get(name) ?? [], scope)
  for (const each of specifiers) {
    const local = each.type === 'ExportSpecifier' ? each.local.name : '*'
    const value = source ? (scope: Parameters<Binding>[0]) => imported(source.value, local, scope) : own(local)
    exports.set(keyOf(each.exported) ?? '', value)
  }
  if (declaration?.type === 'VariableDeclaration')
    for (const { id } of declaration.declarations)
      bind(
        id,
        () => [],
        (name) => exports.set(name, own(name)),
      )
  else if (declaration && 'id' in declaration && declaration.id?.type === 'Identifier')
    exports.set(declaration.id.name, own(declaration.id.name))
}

const ORIGINALS = /^(importOriginal|importActual|requireActual)$/
const LOADERS = /^(pipeline|Auto\w+)$/

/** True if what a module loads is loaded in spite of its mock: the mock spies on the module, or replaces parts of it that load nothing. */
function keepsLoads(factory: Node): boolean {
  if (!isFunction(factory)) return factory.type === 'ObjectExpression'
  let hasOriginal = factory.params.length > 0
  let hasLoader = false
  walk(factory.body, (node) => {
    if (node.type === 'MemberExpression' && ORIGINALS.test(keyOf(node.property) ?? '')) hasOriginal = true
    if (node.type === 'ObjectProperty' || node.type === 'ObjectMethod')
      hasLoader ||= LOADERS.test(keyOf(node.key, node.computed) ?? '')
    return false
  })
  return hasOriginal && !hasLoader
}
