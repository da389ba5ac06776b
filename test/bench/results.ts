import { readFile, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { execa } from 'execa'
import type { Growth, Row } from './row.ts'
import { markdown, show } from './table.ts'

const SCHEMA_VERSION = 1

/** The results of a run of the benches, as they are written for later comparisons. */
export interface Results {
  schemaVersion: typeof SCHEMA_VERSION
  commit: string
  date: string
  node: string
  machine: string
  isQuick: boolean
  rows: Row[]
  growth: Growth[]
}

export async function resultsOf(found: Pick<Results, 'isQuick' | 'rows' | 'growth'>): Promise<Results> {
  const { stdout: commit } = await execa('git', ['describe', '--always', '--dirty'])
  const cores = cpus()
  return {
    schemaVersion: SCHEMA_VERSION,
    commit,
    date: new Date().toISOString(),
    node: process.version,
    machine: `${cores.length} x ${cores[0]?.model ?? 'unknown'}`,
    ...found,
  }
}

export async function writeResults(file: string, results: Results): Promise<void> {
  await writeFile(file, `${JSON.stringify(results, null, 1)}\n`)
}

/** Throws an error with a message for the user. */
export async function readResults(file: string): Promise<Results> {
  const text = await readFile(file, 'utf8').catch(() => {
    throw new Error(`${file} can't be read. It must be a file that \`npm run bench -- --output\` wrote.`)
  })
  const results = parsed(text)
  if (results?.schemaVersion === SCHEMA_VERSION && Array.isArray(results.rows)) return results
  throw new Error(
    `${file} has no results of version ${SCHEMA_VERSION}. Write it again with \`npm run bench -- --output\`.`,
  )
}

function parsed(text: string): Results | undefined {
  try {
    return JSON.parse(text) ?? undefined
  } catch {
    return undefined
  }
}

/** The rows of both results: before, now, and whether the difference is larger than the spread of the rounds. */
export function comparison(before: Results, now: Results): string {
  const earlier = new Map(named(before.rows))
  const rows = named(now.rows).flatMap(([name, row]) => {
    const old = earlier.get(name)
    if (!old || old.unit !== row.unit) return []
    const ratio = row.value.median / old.value.median
    const isApart = row.value.min > old.value.max || row.value.max < old.value.min
    const change = old.value.median === 0 ? '' : `${ratio.toFixed(2)}x`
    const word = ratio > 1 ? 'more' : 'less'
    return [
      [
        row.what,
        show(old.value.median, row.unit),
        show(row.value.median, row.unit),
        change,
        isApart ? word : 'within the spread',
      ],
    ]
  })
  const isAlike = before.isQuick === now.isQuick && before.machine === now.machine && before.node === now.node
  const note = isAlike ? '' : 'The machine, the Node.js version or --quick differ: compare with care.\n\n'
  return note + markdown(['what', before.commit, now.commit, 'ratio', ''], rows)
}

/** Rows by name. The name of an indented row includes the row above that it belongs to. */
function named(rows: Row[]): [string, Row][] {
  let above = ''
  return rows.map((row) => {
    if (row.what.startsWith(' ')) return [`${above}:${row.what}`, row]
    above = row.what
    return [row.what, row]
  })
}
