import { matchEntries } from '../cache/find.ts'
import { totalSize } from '../cache/store/entries/used-bytes.ts'
import { oneError, problemsIn } from '../config/check-options.ts'
import { formatAge, formatSize } from '../config/units.ts'
import { type Entry, entrySize, hasPacked } from '../model/entry.ts'
import { ModelCacheError } from '../model/errors.ts'
import { originals } from '../platform/originals.ts'
import { count } from '../report/words.ts'
import { parseFilter } from './filter.ts'
import { type GlobalOptions, openCache } from './open-cache.ts'
import { entryJson, printJson } from './show/json.ts'
import { printLines, printNotes } from './show/print.ts'
import { columnsOf, paint } from './show/style.ts'
import { type Column, renderTable } from './show/table.ts'

export interface ListOptions extends GlobalOptions {
  sort?: string
  filter?: string[]
  files?: boolean
}

interface ShownColumn extends Column {
  show: (entry: Entry, now: number) => string
  /** The value to sort by. Numbers are sorted with the largest first, texts by the alphabet. */
  order: (entry: Entry) => number | string
}

const COLUMNS: ShownColumn[] = [
  { header: 'model', isShrinkable: true, show: ({ repo }) => repo, order: ({ repo }) => repo },
  { header: 'revision', isShrinkable: true, show: ({ revision }) => shortRevision(revision), order: (e) => e.revision },
  { header: 'commit', show: ({ commit }) => commit.slice(0, 7), order: ({ commit }) => commit },
  { header: 'size', isRight: true, show: (entry) => formatSize(entrySize(entry)), order: entrySize },
  { header: 'files', isRight: true, show: ({ files }) => String(files.size), order: ({ files }) => files.size },
  {
    header: 'used',
    isRight: true,
    show: (e, now) => since(e.lastAccessDate, now),
    order: (e) => date(e.lastAccessDate),
  },
  { header: 'age', isRight: true, show: (e, now) => since(e.cachedDate, now), order: (e) => date(e.cachedDate) },
  { header: 'hits', isRight: true, show: ({ hits }) => String(hits), order: ({ hits }) => hits },
  {
    header: 'endpoint',
    isShrinkable: true,
    show: ({ endpoint }) => endpoint?.replace(/^https:\/\//, '') ?? 'unknown',
    order: ({ endpoint = '' }) => endpoint,
  },
  { header: 'packed', show: (entry) => (hasPacked(entry) ? 'yes' : ''), order: (entry) => (hasPacked(entry) ? 1 : 0) },
  { header: 'pinned', show: ({ pinned }) => (pinned ? 'yes' : ''), order: ({ pinned }) => (pinned ? 1 : 0) },
]

/** Prints a line for each model, and the total. */
export async function list(pattern: string | undefined, options: ListOptions): Promise<number> {
  const { filter: comparisons = [], sort = 'model' } = options
  const problems = problemsIn([() => sorter(sort), ...comparisons.map((comparison) => () => parseFilter(comparison))])
  if (problems.length > 0) throw oneError(problems)
  const filters = comparisons.map(parseFilter)
  const order = sorter(sort)
  const { cache } = await openCache(options, { needsOptions: false })
  const { directory } = cache.context.layout
  const now = originals.now()
  const all = await cache.list()
  const matching = pattern === undefined ? all : matchEntries(pattern, all)
  const entries = matching.filter((entry) => filters.every((filter) => filter(entry, now))).sort(order)
  if (options.json) {
    const models = entries.map((entry) => ({ ...entryJson(entry), ...paths(entry, options) }))
    printJson({ directory, bytes: totalSize(entries), models })
  } else if (entries.length > 0) {
    print(entries, all, options)
    printLines(paint('dim', `${totalOf(entries, all)} in ${directory}`))
  } else printNotes(all.length === 0 ? `There is no model in ${directory}.` : 'No model matches.')
  return 0
}

/** `1 of 3 models, 2 files, 4.88 KiB`. Files that two commits share count once, as in `status`. */
function totalOf(entries: Entry[], all: Entry[]): string {
  const models = count(all.length, 'model')
  const files = entries.reduce((sum, { files }) => sum + files.size, 0)
  const shown = entries.length === all.length ? models : `${entries.length} of ${models}`
  return `${shown}, ${count(files, 'file')}, ${formatSize(totalSize(entries))}`
}

/** `all` are the entries of the whole cache. A column that has the same value for each model is left out. */
function print(entries: Entry[], all: Entry[], options: ListOptions): void {
  const now = originals.now()
  const hidden = [
    ...(entries.some(({ pinned }) => pinned) ? [] : ['pinned']),
    ...(entries.some(hasPacked) ? [] : ['packed']),
    ...(new Set(all.map(({ endpoint }) => endpoint)).size > 1 ? [] : ['endpoint']),
  ]
  const columns = COLUMNS.filter(({ header }) => !hidden.includes(header))
  const rows = entries.map((entry) => columns.map(({ show }) => show(entry, now)))
  const [header = '', ...lines] = renderTable(columns, rows, columnsOf())
  printLines(paint('dim', header))
  for (const [index, line] of lines.entries()) {
    printLines(line)
    if (options.files) for (const file of fileLines(entries[index])) printLines(paint('dim', file))
  }
}

function fileLines(entry: Entry | undefined): string[] {
  return [...(entry?.files ?? [])]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, { size }]) => `  ${formatSize(size).padStart(8)}  ${path}`)
}

function paths({ files }: Entry, options: ListOptions): object {
  if (!options.files) return {}
  return { paths: [...files].map(([path, { size, digest }]) => ({ path, bytes: size, digest })) }
}

function sorter(name: string): (a: Entry, b: Entry) => number {
  const column = COLUMNS.find(({ header }) => header === name)
  if (!column)
    throw new ModelCacheError({
      code: 'INVALID_OPTION',
      asked: `Option --sort ${name}`,
      reason: 'There is no such column.',
      nextStep: `The columns are ${COLUMNS.map(({ header }) => header).join(', ')}.`,
    })
  return (a, b) => {
    const [one, other] = [column.order(a), column.order(b)]
    if (typeof one === 'number' && typeof other === 'number') return other - one || compare(a.repo, b.repo)
    return compare(String(one), String(other)) || compare(a.repo, b.repo)
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function shortRevision(revision: string): string {
  return /^[0-9a-f]{40}$/.test(revision) ? revision.slice(0, 7) : revision
}

/** The time since a date, in its largest unit alone. */
function since(text: string, now: number): string {
  return formatAge(now - date(text)).split(' ')[0] ?? ''
}

function date(text: string): number {
  return Date.parse(text)
}
