import process from 'node:process'
import { styleText } from 'node:util'

type Style = Parameters<typeof styleText>[0]

/** Colours a text for a terminal. FORCE_COLOR and NO_COLOR override this. */
export function paint(style: Style, text: string, stream: NodeJS.WriteStream = process.stdout): string {
  return isColored(stream) ? styleText(style, text, { validateStream: false }) : text
}

export function isColored(stream: NodeJS.WriteStream = process.stdout): boolean {
  const { FORCE_COLOR, NO_COLOR } = process.env
  if (FORCE_COLOR !== undefined) return !['0', 'false'].includes(FORCE_COLOR)
  return stream.isTTY === true && !NO_COLOR
}

/** The width of the terminal. Undefined when the output is piped: then lines are not shortened. */
export function columnsOf(stream: NodeJS.WriteStream = process.stdout): number | undefined {
  return stream.isTTY ? (stream.columns ?? 80) : undefined
}
