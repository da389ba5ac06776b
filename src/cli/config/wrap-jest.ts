import { exportedConfig, importEdit } from './config-module.ts'
import { applyEdits, insertFirst } from './insertion.ts'
import { asSource, fromSource } from './json-source.ts'
import { allNodes, child, type Node, propertyOf, textOf } from './syntax.ts'

export const WRAPPER = 'withModelCache'
export const JEST_MODULE = 'vitest-model-cache/jest'

/** The source of a Jest config whose export is wrapped by `withModelCache()`. Undefined if it has an unusual shape. Pure. */
export function wrapJest(source: string, program: Node): string | undefined {
  const config = exportedConfig(program)
  const isUsed = [...allNodes(program)].some((node) => node.type === 'Identifier' && textOf(node, 'name') === WRAPPER)
  if (!config || isUsed) return undefined
  return applyEdits(source, [
    importEdit(source, program, WRAPPER, JEST_MODULE),
    { start: config.start, end: config.start, text: `${WRAPPER}(` },
    { start: config.end, end: config.end, text: ')' },
  ])
}

// Settings that take the place of those in a preset.
const OWN_SETTINGS = ['preset', 'globalSetup', 'globalTeardown', 'testRunner', 'reporters', 'projects']

/**
 * The text of a JSON file with our preset in the object of a Jest config: that of the key `jest`, or the whole. Undefined if it has a
 * preset already, or a setting that would replace one of the preset. Pure.
 */
export function addPreset(json: string, root: Node, key?: 'jest'): string | undefined {
  const config = key ? child(propertyOf(root, key), 'value') : root
  if (config?.type !== 'ObjectExpression' || OWN_SETTINGS.some((name) => propertyOf(config, name))) return undefined
  const source = asSource(json)
  return fromSource(applyEdits(source, [insertFirst(source, config, [`"preset": "${JEST_MODULE}"`])]))
}
