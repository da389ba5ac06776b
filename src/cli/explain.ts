import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { ERROR_CODES, type ErrorCode, ModelCacheError, messageOf } from '../model/errors.ts'
import { nearest } from '../model/nearest.ts'
import { wrap } from '../report/lines.ts'
import type { GlobalOptions } from './open-cache.ts'
import { printJson } from './show/json.ts'
import { printLines } from './show/print.ts'

/** The package's own copy: this file is two folders below its root, in src as in dist. */
const TROUBLESHOOTING = new URL('../../docs/troubleshooting.md', import.meta.url)
const MAX_COLUMNS = 100

/** Prints the part of docs/troubleshooting.md for an error code; without a code, all codes with their meaning. */
export async function explain(name: string | undefined, { json }: GlobalOptions): Promise<number> {
  const parts = partsOf(await readDocument())
  if (name === undefined) {
    const codes = ERROR_CODES.map((code) => ({ code, meaning: meaningOf(parts.get(code)) }))
    if (json) printJson({ codes })
    else for (const { code, meaning } of codes) printLines([code, ...wrapped(`  ${meaning}`)].join('\n'))
    return 0
  }
  const code = codeOf(name)
  const text = parts.get(code) ?? ''
  if (json) printJson({ code, text })
  else printLines(`${code}\n\n${asTerminalText(text)}`)
  return 0
}

/** Some tools that make packages smaller remove documents. */
async function readDocument(): Promise<string> {
  try {
    return await readFile(TROUBLESHOOTING, 'utf8')
  } catch (cause) {
    throw new ModelCacheError({
      code: 'FILE_NOT_FOUND',
      asked: fileURLToPath(TROUBLESHOOTING),
      reason: `It is missing in the installed package, or can't be read: ${messageOf(cause)}.`,
      nextStep: 'Install vitest-model-cache again.',
      cause,
    })
  }
}

function codeOf(name: string): ErrorCode {
  const code = ERROR_CODES.find((code) => code === name.toUpperCase())
  if (code !== undefined) return code
  const meant = nearest(name, ERROR_CODES)
  throw new ModelCacheError({
    code: 'INVALID_OPTION',
    asked: `Error code ${name}`,
    reason: 'There is no such code.',
    nextStep: `${meant ? `Did you mean ${meant}? ` : ''}\`npx vitest-model-cache explain\` lists all codes.`,
  })
}

/** The text under each heading that is a code. */
function partsOf(markdown: string): Map<string, string> {
  const parts = markdown.split(/^#{1,3} /m).map((part) => {
    const [heading = '', ...lines] = part.split('\n')
    return [heading.replaceAll('`', ''), lines.join('\n').trim()] as const
  })
  return new Map(parts)
}

/** The first sentence. */
function meaningOf(part = ''): string {
  return part.replaceAll(/\s+/g, ' ').replace(/(?<=[.]) .*/, '')
}

/** Paragraphs and items of lists, one by one, as wide as the terminal. A link is shown as its text and the file. */
function asTerminalText(markdown: string): string {
  const plain = markdown.replaceAll(/\[([^\]]+)\]\(([^)]+)\)/g, '$1 (docs/$2)')
  return plain
    .split('\n\n')
    .map((block) =>
      block
        .split(/\n(?=- )/)
        .flatMap(wrapped)
        .join('\n'),
    )
    .join('\n\n')
}

function wrapped(text: string): string[] {
  const indent = /^ */.exec(text)?.[0] ?? ''
  const columns = Math.min(process.stdout.columns || MAX_COLUMNS, MAX_COLUMNS)
  return wrap(text, columns - indent.length).map((line) => indent + line)
}
