import { type Model, modelKey, parseModel } from '../../model/model.ts'
import { isDefaultSelection, selectionKey } from '../../model/selection.ts'
import { elementOf, jsonElementOf } from '../suggest/print-suggestions.ts'
import type { Suggestion } from '../suggest/used-models.ts'
import { applyEdits, type Edit, indentAt, insertFirst, newlineOf } from './insertion.ts'
import { allNodes, child, children, hasSpread, type Node, nameOfCall, propertyOf, textOf, unwrap } from './syntax.ts'

/**
 * The source of a config whose `modelCache()` declares the suggested models too. A model that was declared by its name alone gets the
 * fields of the suggestion. Other declarations are not changed. Undefined if the options have an unusual shape. Pure.
 */
export function addModels(source: string, program: Node, suggestions: Suggestion[]): string | undefined {
  const [call, ...others] = [...allNodes(program)].filter((node) => nameOfCall(node) === 'modelCache')
  if (!call || others.length > 0) return undefined
  const [argument] = children(call, 'arguments')
  if (!argument) {
    const text = `{ ${modelsProperty(source, call, suggestions, elementOf)} }`
    return applyEdits(source, [{ start: call.end - 1, end: call.end - 1, text }])
  }
  const edits = optionsEdits(source, unwrap(argument, program), program, suggestions, elementOf)
  return edits && applyEdits(source, edits)
}

/** Writes a model as an element of the list, in JavaScript or JSON. */
export type Writer = typeof elementOf

/** The edits of the object literal that holds the options. Undefined if it has an unusual shape. */
export function optionsEdits(
  source: string,
  options: Node | undefined,
  program: Node,
  suggestions: Suggestion[],
  writer: Writer,
): Edit[] | undefined {
  if (options?.type !== 'ObjectExpression' || hasSpread(options)) return undefined
  const property = propertyOf(options, 'models')
  if (!property) return [insertFirst(source, options, [modelsProperty(source, options, suggestions, writer)])]
  const list = unwrap(child(property, 'value'), program)
  return list?.type === 'ArrayExpression' ? listEdits(source, list, suggestions, writer) : undefined
}

/** The property `models`, for a new object in place of `node`, or as the first in it. */
export function modelsProperty(source: string, node: Node, suggestions: Suggestion[], writer: Writer): string {
  const indent = indentAt(source, node.start)
  const name = writer === jsonElementOf ? '"models"' : 'models'
  const place = { indent, newline: newlineOf(source), column: indent.length + `${name}: `.length }
  return `${name}: ${listText(
    suggestions.map((suggestion) => writer(suggestion)),
    place,
  )}`
}

interface Place {
  /** The first column of the list. */
  column: number
  /** The white space at the start of its line. */
  indent: string
  newline: string
}

/** A list on one line if there is room, else each element on a line. */
function listText(elements: string[], { column, indent, newline }: Place): string {
  const line = `[${elements.join(', ')}]`
  if (line.length + column < 80) return line
  return ['[', ...elements.map((element) => `${indent}  ${element},`), `${indent}]`].join(newline)
}

function listEdits(source: string, list: Node, suggestions: Suggestion[], writer: Writer): Edit[] {
  const declared = children(list, 'elements').map((node) => ({ node, model: modelOf(node) }))
  const edits: Edit[] = []
  const added: string[] = []
  const replaced = new Set<Node>()
  for (const suggestion of suggestions) {
    const { repo, revision, fields } = suggestion
    const same = declared.filter(({ model }) => model && modelKey(model) === modelKey({ repo, revision }))
    if (same.some(({ model }) => model && selectionKey(model.selection) === selectionKey(fields))) continue
    const byName = same.find(({ node, model }) => model && isDefaultSelection(model.selection) && !replaced.has(node))
    if (!byName) added.push(writer(suggestion))
    else {
      replaced.add(byName.node)
      const pin = byName.model?.pin ? { pin: true } : {}
      edits.push({ ...placeOf(byName.node), text: writer({ repo, revision, fields: { ...fields, ...pin } }) })
    }
  }
  if (added.length === 0 && edits.length === 0) return []
  if (isPlainLine(source, list)) {
    const kept = declared.map(
      ({ node }) => edits.find(({ start }) => start === node.start)?.text ?? source.slice(node.start, node.end),
    )
    const column = list.start - source.lastIndexOf('\n', list.start) - 1
    const place = { column, indent: indentAt(source, list.start), newline: newlineOf(source) }
    return [{ ...placeOf(list), text: listText([...added, ...kept], place) }]
  }
  return added.length > 0 ? [...edits, insertFirst(source, list, added)] : edits
}

/** True if the list is on one line and has no comments. Its elements can then be moved to other lines. */
function isPlainLine(source: string, list: Node): boolean {
  const elements = children(list, 'elements').map((node) => ({ ...placeOf(node), text: '' }))
  const between = applyEdits(source.slice(0, list.end), elements).slice(list.start)
  return /^\[[ ,]*\]$/.test(between)
}

function placeOf({ start, end }: Node): Pick<Edit, 'start' | 'end'> {
  return { start, end }
}

/** The model that an element declares. Undefined where it is no plain literal: such an element is left alone. */
function modelOf(node: Node): Model | undefined {
  try {
    return parseModel(literalValue(node))
  } catch {
    return undefined
  }
}

function literalValue(node: Node): unknown {
  if (node.type === 'Literal') return Reflect.get(node, 'value')
  if (node.type === 'ArrayExpression') return children(node, 'elements').map(literalValue)
  if (node.type !== 'ObjectExpression' || hasSpread(node)) return undefined
  const pairs = children(node, 'properties').map((property): [string, unknown] => {
    const key = child(property, 'key')
    const value = child(property, 'value')
    return [textOf(key, 'name') ?? textOf(key, 'value') ?? '', value && literalValue(value)]
  })
  return pairs.every(([, value]) => value !== undefined) ? Object.fromEntries(pairs) : undefined
}
