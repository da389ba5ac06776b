import process from 'node:process'
import { findJest } from '../../config/jest/find-jest.ts'

/** A node of a syntax tree (ESTree), with its place in the source. */
export interface Node {
  type: string
  start: number
  end: number
}

export const NOT_PARSED = 'The parser of the installed Vite or Jest can not read it.'

/**
 * Parses a config file by a parser that the project has: that of Vite, or Babel, on which Jest depends. Undefined if none can read it.
 * Before version 8, Vite's knows no TypeScript. A type import is blanked out then, as most config files have no other TypeScript.
 */
export async function parseSource(source: string): Promise<Node | undefined> {
  const withoutTypes = source.replaceAll(/^import type [^;'"]*['"][^'"\n]*['"];?/gm, (text) => ' '.repeat(text.length))
  for (const parse of [await viteParser(), babelParser()])
    for (const text of [source, withoutTypes])
      try {
        if (parse) return parse(text)
      } catch {
        // Not the syntax that this parser knows.
      }
  return undefined
}

type Parser = (source: string) => Node

async function viteParser(): Promise<Parser | undefined> {
  const vitest = await import('vitest/node').catch(() => undefined)
  return vitest && ((source) => vitest.parseAst(source, { lang: 'ts' }))
}

interface Babel {
  parseSync(source: string, options: object): { program: Node }
}

function babelParser(): Parser | undefined {
  const jest = findJest(process.cwd())
  if (!jest) return undefined
  const plugins = ['typescript', 'estree']
  const options = { configFile: false, babelrc: false, sourceType: 'unambiguous', parserOpts: { plugins } }
  return (source) => jest.load<Babel>('@babel/core', '@jest/core', 'jest-config').parseSync(source, options).program
}

function isNode(value: unknown): value is Node {
  return typeof Object(value).type === 'string' && typeof Object(value).start === 'number'
}

export function child(node: Node | undefined, name: string): Node | undefined {
  const value: unknown = Reflect.get(Object(node), name)
  return isNode(value) ? value : undefined
}

/** The nodes of a list. A hole of an array is left out. */
export function children(node: Node | undefined, name: string): Node[] {
  const value: unknown = Reflect.get(Object(node), name)
  return Array.isArray(value) ? value.filter(isNode) : []
}

/** A field that is a string: the name of an identifier, the value of a string literal. */
export function textOf(node: Node | undefined, field: string): string | undefined {
  const value: unknown = Reflect.get(Object(node), field)
  return typeof value === 'string' ? value : undefined
}

/** A node and all nodes below it. */
export function* allNodes(node: Node): Generator<Node> {
  yield node
  for (const value of Object.values(node))
    for (const each of Array.isArray(value) ? value : [value]) if (isNode(each)) yield* allNodes(each)
}

/** The property of an object literal; undefined where it has none of that name. */
export function propertyOf(object: Node, name: string): Node | undefined {
  return children(object, 'properties').find((property) => {
    const key = child(property, 'key')
    const isNamed = property.type === 'Property' && Reflect.get(property, 'computed') !== true
    return isNamed && (textOf(key, 'name') ?? textOf(key, 'value')) === name
  })
}

export function hasSpread(object: Node): boolean {
  return children(object, 'properties').some(({ type }) => type === 'SpreadElement')
}

const WRAPPERS = ['TSAsExpression', 'TSSatisfiesExpression', 'TSNonNullExpression', 'ParenthesizedExpression']

/** The expression inside parentheses, `as` and `satisfies`; for the name of a top-level constant, its value. */
export function unwrap(node: Node | undefined, program: Node): Node | undefined {
  if (node && WRAPPERS.includes(node.type)) return unwrap(child(node, 'expression'), program)
  if (node?.type !== 'Identifier') return node
  const declarators = children(program, 'body').flatMap((statement) => {
    const declaration = statement.type === 'ExportNamedDeclaration' ? child(statement, 'declaration') : statement
    return textOf(declaration, 'kind') === 'const' ? children(declaration, 'declarations') : []
  })
  const own = declarators.find((declarator) => textOf(child(declarator, 'id'), 'name') === textOf(node, 'name'))
  const value = child(own, 'init')
  return value?.type === 'Identifier' ? undefined : unwrap(value, program)
}

export function nameOfCall(node: Node | undefined): string | undefined {
  return node?.type === 'CallExpression' ? textOf(child(node, 'callee'), 'name') : undefined
}
