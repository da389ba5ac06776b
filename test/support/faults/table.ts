import { readFile } from 'node:fs/promises'
import type { ClientName } from './clients.ts'
import type { Cell, Measured } from './measure.ts'
import type { Row } from './rows.ts'

/** The cells of a table, row by row; the head comes first. */
export type Table = string[][]

/** The table of measured outcomes in words, with the versions of the peers in its head. */
export async function tableOf(rows: Row[], { cells }: Measured): Promise<Table> {
  const peers = await Promise.all(['@huggingface/hub', '@huggingface/transformers'].map(nameWithVersion))
  const columns = [cells.ours, cells.hub, cells.transformers].map(wordsOf)
  return [
    ['fault', 'vitest-model-cache', ...peers],
    ...rows.map(({ name }, index) => [name, ...columns.map((column) => column[index] ?? '')]),
  ]
}

/** The outcomes of a client in words. The first row is the control, without a fault. */
export function wordsOf(cells: Measured['cells'][ClientName]): string[] {
  const [control] = cells
  return cells.map((cell) => inWords(cell, control?.faulty.requests ?? 0))
}

function inWords({ faulty, next }: Cell, usualRequests: number): string {
  const isWrong = faulty.wrong.length > 0
  const how = faulty.isResumed ? 'resumed: ' : faulty.requests > usualRequests ? 'retried: ' : ''
  if (faulty.outcome === 'ok' && !isWrong && isSound(next)) return `${how}ok`
  const first = faulty.outcome === 'ok' && isWrong ? 'no error' : faulty.outcome
  const left = [isWrong && 'wrong bytes stored', faulty.partBytes > 0 && 'part left']
  const later = [nextInWords(next), next.partBytes > 0 && 'part stays']
  return [[first, ...left], later].map((words) => words.filter(Boolean).join(', ')).join('; ')
}

function nextInWords(next: Cell['next']): string {
  if (isSound(next)) return next.isResumed ? 'next run resumes' : 'next run ok'
  return next.outcome === 'ok' ? 'next run uses them' : 'next run broken'
}

function isSound({ outcome, wrong }: Cell['next']): boolean {
  return outcome === 'ok' && wrong.length === 0
}

async function nameWithVersion(name: string): Promise<string> {
  const manifest = new URL(`../../../node_modules/${name}/package.json`, import.meta.url)
  return `${name} ${JSON.parse(await readFile(manifest, 'utf8')).version}`
}

/** The table as Markdown; the cells of a column have the same width. */
export function markdownOf([head = [], ...lines]: Table): string {
  const widths = head.map((_, column) => Math.max(...[head, ...lines].map((line) => line[column]?.length ?? 0)))
  const rule = widths.map((width) => '-'.repeat(width))
  return [head, rule, ...lines]
    .map((line) => `| ${line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`)
    .join('\n')
}

/** The first table under a heading of a Markdown text. */
export function tableUnder(heading: string, markdown: string): Table {
  const [, section = ''] = markdown.split(`${heading}\n`)
  const [table = ''] = /^\|.*\|$(?:\n\|.*\|$)*/m.exec(section) ?? []
  return table
    .split('\n')
    .filter((_, line) => line !== 1)
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    )
}
