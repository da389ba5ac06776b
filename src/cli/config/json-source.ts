import { child, children, type Node, parseSource } from './syntax.ts'

/** JSON, with or without comments, as JavaScript. The line break ends a comment in the last line. */
export function asSource(json: string): string {
  return `(${json}\n)`
}

export function fromSource(source: string): string {
  return source.slice(1, -2)
}

/** The object of a JSON file, with its places in `asSource(json)`. Undefined if it is no object, or can't be read. */
export async function parseJsonObject(json: string): Promise<Node | undefined> {
  const program = await parseSource(asSource(json))
  const [statement] = program ? children(program, 'body') : []
  const expression = child(statement, 'expression')
  const root = expression?.type === 'ParenthesizedExpression' ? child(expression, 'expression') : expression
  return root?.type === 'ObjectExpression' ? root : undefined
}
