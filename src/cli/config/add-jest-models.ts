import { elementOf, jsonElementOf } from '../suggest/print-suggestions.ts'
import type { Suggestion } from '../suggest/used-models.ts'
import { modelsProperty, optionsEdits, type Writer } from './add-models.ts'
import { exportedObject, objectIn } from './config-module.ts'
import { applyEdits, type Edit, insertFirst } from './insertion.ts'
import { asSource, fromSource } from './json-source.ts'
import { allNodes, child, children, type Node, nameOfCall, propertyOf, unwrap } from './syntax.ts'
import { WRAPPER } from './wrap-jest.ts'

const OPTIONS = 'modelCache'
const ENVIRONMENT_OPTIONS = 'testEnvironmentOptions'

/**
 * The source of a Jest config that declares the suggested models too: in the options of `withModelCache()`, or with the preset in
 * `testEnvironmentOptions`. Undefined if it has an unusual shape. Pure.
 */
export function addJestModels(source: string, program: Node, suggestions: Suggestion[]): string | undefined {
  const [call, ...others] = [...allNodes(program)].filter((node) => nameOfCall(node) === WRAPPER)
  if (others.length > 0) return undefined
  const edits = call
    ? wrappedEdits(source, call, program, suggestions)
    : nestedEdits(source, exportedObject(program), [ENVIRONMENT_OPTIONS, OPTIONS], program, suggestions)
  return edits && applyEdits(source, edits)
}

/** The same for a config in JSON: the key `jest` of an object, or the whole. Pure. */
export function addJestModelsToJson(
  json: string,
  root: Node,
  suggestions: Suggestion[],
  key?: 'jest',
): string | undefined {
  const source = asSource(json)
  const config = key ? child(propertyOf(root, key), 'value') : root
  const edits = nestedEdits(source, config, [ENVIRONMENT_OPTIONS, OPTIONS], root, suggestions, jsonElementOf)
  return edits && fromSource(applyEdits(source, edits))
}

function wrappedEdits(source: string, call: Node, program: Node, suggestions: Suggestion[]): Edit[] | undefined {
  const [argument] = children(call, 'arguments')
  const config = objectIn(argument, program)
  if (argument?.type !== 'Identifier' || !config || propertyOf(config, OPTIONS))
    return nestedEdits(source, config, [OPTIONS], program, suggestions)
  // The type of the constant may be that of Jest, which has no such option.
  const text = `{ ...${source.slice(argument.start, argument.end)}, ${OPTIONS}: { ${modelsProperty(source, call, suggestions, elementOf)} } }`
  return [{ start: argument.start, end: argument.end, text }]
}

/** Edits the object at the end of a path of properties. Those that are missing are added. */
function nestedEdits(
  source: string,
  object: Node | undefined,
  [name = '', ...names]: string[],
  program: Node,
  suggestions: Suggestion[],
  writer: Writer = elementOf,
): Edit[] | undefined {
  if (object?.type !== 'ObjectExpression') return undefined
  const property = propertyOf(object, name)
  const value = property && unwrap(child(property, 'value'), program)
  if (value && names.length > 0) return nestedEdits(source, value, names, program, suggestions, writer)
  if (property) return optionsEdits(source, value, program, suggestions, writer)
  const keys = [name, ...names].map((key) => (writer === elementOf ? key : JSON.stringify(key)))
  const models = `{ ${modelsProperty(source, object, suggestions, writer)} }`
  const text = keys.reduceRight(
    (inner, key, index) => (index === 0 ? `${key}: ${inner}` : `{ ${key}: ${inner} }`),
    models,
  )
  return [insertFirst(source, object, [text])]
}
