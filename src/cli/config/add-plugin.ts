import { exportedObject, importEdit } from './config-module.ts'
import { applyEdits, type Edit, insertFirst } from './insertion.ts'
import { allNodes, child, hasSpread, type Node, propertyOf, textOf, unwrap } from './syntax.ts'

const PACKAGE = 'vitest-model-cache'

/**
 * The source of a config with `modelCache()` among its plugins. Undefined where the config has an unusual shape: then nothing can be said
 * of where the plugin belongs. Pure.
 */
export function addPlugin(source: string, program: Node): string | undefined {
  const object = exportedObject(program)
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
