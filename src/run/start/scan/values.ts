import type { Expression, Facts } from './facts.ts'

/** A source file: its facts, and the files that its imports mean. */
export interface Source {
  facts: Facts
  /** The paths of the imported files, by the modules as they are written. Modules of packages are left out. */
  targets: Readonly<Record<string, string>>
}

export type Sources = ReadonlyMap<string, Source>

/** Where an expression is evaluated: in a file, perhaps inside a function that was called with some arguments. */
export interface Scope {
  path: string
  called?: { name: string; args: Expression[]; from: Scope }
}

/** A value that an expression can have. */
export type Value =
  | { is: 'text'; text: string }
  | { is: 'literal'; literal: number | boolean }
  | { is: 'fields'; fields: Readonly<Record<string, Expression>>; isOpen: boolean; at: Scope }
  | { is: 'items'; items: Expression[]; at: Scope }
  | { is: 'module'; path: string | undefined; specifier: string }
  /** An export of a module that is not of the project. */
  | { is: 'foreign'; specifier: string; name: string }
  | { is: 'function'; path: string; name: string }
  /** It is not known. `parameterOf`: it depends on the argument of a function, named by `functionKey`. */
  | { is: 'unknown'; parameterOf?: string }

const DEEPEST = 30
const MOST_VALUES = 50
const UNKNOWN: Value = { is: 'unknown' }

/** Evaluates expressions of source files. Values are all that are possible; work on a file that goes round in circles is cut. */
export class Evaluator {
  #depth = 0
  #stepsLeft: number

  constructor(
    private readonly sources: Sources,
    steps = 500_000,
  ) {
    this.#stepsLeft = steps
  }

  /** All values that the expression can have. Empty for `undefined`. */
  valuesOf(expression: Expression | undefined, at: Scope): Value[] {
    if (expression === undefined) return []
    if (this.#depth > DEEPEST || this.#stepsLeft-- <= 0) return [UNKNOWN]
    this.#depth++
    const values = this.#evaluate(expression, at)
    this.#depth--
    return values.length > MOST_VALUES ? [...values.slice(0, MOST_VALUES), UNKNOWN] : values
  }

  /** The values of what a file exports under a name. */
  exported(path: string, name: string): Value[] {
    const source = this.sources.get(path)
    if (!source) return [UNKNOWN]
    const { exports, stars } = source.facts
    if (Object.hasOwn(exports, name)) return this.valuesOf(exports[name], { path })
    const values = stars.flatMap((star) => this.valuesOf({ from: star, name }, { path }))
    const known = values.filter(({ is }) => is !== 'unknown' && is !== 'foreign')
    return known.length > 0 ? known : [UNKNOWN]
  }

  #evaluate(expression: Expression, at: Scope): Value[] {
    if (expression === null) return [UNKNOWN]
    if (typeof expression === 'string') return [{ is: 'text', text: expression }]
    if (typeof expression !== 'object') return [{ is: 'literal', literal: expression }]
    if ('ref' in expression) {
      const names = this.sources.get(at.path)?.facts.names ?? {}
      return Object.hasOwn(names, expression.ref) ? this.valuesOf(names[expression.ref], at) : [UNKNOWN]
    }
    if ('from' in expression) return this.#imported(expression.from, expression.name, at)
    if ('get' in expression)
      return this.valuesOf(expression.get, at).flatMap((value) => this.#field(value, expression.key))
    if ('fields' in expression) return [{ is: 'fields', ...expression, at }]
    if ('items' in expression) return [{ is: 'items', ...expression, at }]
    if ('each' in expression) {
      const items = this.valuesOf(expression.each, at).flatMap((value) => this.#itemsOf(value))
      return expression.column === undefined ? items : this.#column(items, expression.column)
    }
    if ('any' in expression) return expression.any.flatMap((each) => this.valuesOf(each, at))
    if ('text' in expression) return this.#texts(expression.text, at)
    if ('call' in expression) return [{ is: 'function', path: at.path, name: expression.call }]
    if ('or' in expression) {
      const values = this.valuesOf(expression.first, at)
      const isKnown = values.length > 0 && values.every(({ is }) => is !== 'unknown')
      return isKnown ? values : [...values, ...this.valuesOf(expression.or, at)]
    }
    const { called, path } = at
    if (called?.name !== expression.of) return [{ is: 'unknown', parameterOf: functionKey(path, expression.of) }]
    return this.valuesOf(called.args[expression.param], called.from)
  }

  #imported(specifier: string, name: string, { path: importer }: Scope): Value[] {
    const targets = this.sources.get(importer)?.targets ?? {}
    const path = Object.hasOwn(targets, specifier) ? targets[specifier] : undefined
    if (name === '*') return [{ is: 'module', path, specifier }]
    return path === undefined ? [{ is: 'foreign', specifier, name }] : this.exported(path, name)
  }

  #field(value: Value, key: string): Value[] {
    if (value.is === 'fields') {
      if (Object.hasOwn(value.fields, key)) return this.valuesOf(value.fields[key], value.at)
      return value.isOpen ? [UNKNOWN] : []
    }
    if (value.is === 'items') return this.valuesOf(value.items[Number(key)], value.at)
    if (value.is === 'module')
      return value.path === undefined
        ? [{ is: 'foreign', specifier: value.specifier, name: key }]
        : this.exported(value.path, key)
    return value.is === 'unknown' ? [value] : []
  }

  #itemsOf(value: Value): Value[] {
    if (value.is === 'unknown') return [value]
    const items = value.is === 'items' ? value.items : value.is === 'fields' ? Object.values(value.fields) : []
    return value.is === 'items' || value.is === 'fields' ? items.flatMap((item) => this.valuesOf(item, value.at)) : []
  }

  #column(items: Value[], column: number): Value[] {
    return items.flatMap((item) => {
      if (item.is === 'items') return this.valuesOf(item.items[column], item.at)
      return column === 0 || item.is === 'unknown' ? [item] : []
    })
  }

  #texts(parts: Expression[], at: Scope): Value[] {
    let texts = ['']
    const unknown: Value[] = []
    for (const part of parts) {
      const values = this.valuesOf(part, at)
      unknown.push(...values.filter(({ is }) => is !== 'text' && is !== 'literal'))
      const next = values.flatMap((value) =>
        value.is === 'text' ? [value.text] : value.is === 'literal' ? [String(value.literal)] : [],
      )
      texts = texts.flatMap((text) => next.map((each) => text + each)).slice(0, MOST_VALUES)
    }
    return [...texts.map((text): Value => ({ is: 'text', text })), ...unknown.slice(0, 1).map(asUnknown)]
  }
}

/** The key of a function of the project. */
export function functionKey(path: string, name: string): string {
  return `${path} ${name}`
}

function asUnknown(value: Value): Value {
  return value.is === 'unknown' ? value : UNKNOWN
}
