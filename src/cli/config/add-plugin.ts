import { exportedConfig, importEdit } from './config-module.ts'
import { applyEdits, type Edit, insertFirst } from './insertion.ts'
import { allNodes, child, children, hasSpread, type Node, nameOfCall, propertyOf, textOf, unwrap } from './syntax.ts'

const PACKAGE = 'vitest-model-cache'

/**
 * The source of a config with `modelCache()` among its plugins. Undefined where the config has an unusual shape: then nothing can be said
 * of where the plugin belongs. Pure.
 */
export function addPlugin(source: string, program: Node): string | undefined {
  const object = objectIn(exportedConfig(program), program)
  const plugins = object && pluginsEdit(source, object, program)
  const names = [...allNodes(program)].map((node) => (node.type === 'Identifier' ? textOf(node, 'name') : undefined))
  if (!plugins || names.includes('modelCache')) return undefined
  return applyEdits(source, [importEdit(source, program, 'modelCache', PACKAGE), plugins])
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

/** Through `defineConfig()`, the last argument of `mergeConfig()`, and a function that returns the options. */
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
