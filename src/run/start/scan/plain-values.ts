import type { Expression } from './facts.ts'
import type { Evaluator, Scope, Value } from './values.ts'

/** In place of a value that is not known. */
export const UNKNOWN = Symbol('unknown')
/** In place of a value that depends on the argument of a function. */
export class Argument {
  constructor(readonly of: string) {}
}

/** The key of an object with further, unknown fields. */
export const MORE = '...'

const MOST_COMBINATIONS = 30

/** All values that an expression can have, as JavaScript has them: texts, numbers, objects, lists. `undefined` for no value. */
export function plainValues(expression: Expression | undefined, at: Scope, evaluator: Evaluator): unknown[] {
  const values = evaluator.valuesOf(expression, at)
  const plain = values.flatMap((value) => plainOf(value, evaluator))
  return plain.length === 0 ? [undefined] : [...new Set(plain)].slice(0, MOST_COMBINATIONS)
}

function plainOf(value: Value, evaluator: Evaluator): unknown[] {
  switch (value.is) {
    case 'text':
      return [value.text]
    case 'literal':
      return [value.literal]
    case 'items':
      return combinations(value.items.map((item) => plainValues(item, value.at, evaluator)))
    case 'fields': {
      const keys = Object.keys(value.fields)
      const fields = combinations(keys.map((key) => plainValues(value.fields[key], value.at, evaluator)))
      return fields.map((values) => {
        const entries = keys.map((key, index): [string, unknown] => [key, values[index]])
        return Object.fromEntries(value.isOpen ? [...entries, [MORE, UNKNOWN]] : entries)
      })
    }
    case 'unknown':
      return [value.parameterOf === undefined ? UNKNOWN : new Argument(value.parameterOf)]
    default:
      return [UNKNOWN]
  }
}

/** Each combination that takes one value of each list; the first ones if there are many. */
export function combinations(lists: unknown[][]): unknown[][] {
  return lists.reduce<unknown[][]>(
    (found, list) => found.flatMap((before) => list.map((value) => [...before, value])).slice(0, MOST_COMBINATIONS),
    [[]],
  )
}
