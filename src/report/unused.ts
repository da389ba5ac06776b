import { weightsOf } from '../cache/selection/transformers-files.ts'
import { formatSize } from '../config/units.ts'
import type { RequestEvent } from '../model/request.ts'
import { type Dtype, parseSelection, type Selection } from '../model/selection.ts'
import { count, labelOf } from './words.ts'

/** A declared model that the warm-up of this run downloaded. */
export interface DeclaredDownload {
  repo: string
  revision: string
  commit: string
  files: [path: string, bytes: number][]
}

type Use = Pick<RequestEvent, 'repo' | 'commit' | 'selection' | 'files'>

/** A smaller part of a model is not worth a line. */
const WORTH_A_LINE = 0.1

/**
 * One line for each declared model of which files were downloaded that no test used, while tests used other files of it. It says what to
 * declare instead. A model that no test used at all has no line: the tests that use it may not have run. Pure.
 */
export function unusedLines(declared: DeclaredDownload[], uses: Use[]): string[] {
  return declared.flatMap((model) => {
    const ofModel = uses.filter(({ repo, commit }) => repo === model.repo && commit === model.commit)
    const used = new Set(ofModel.flatMap(({ files }) => files.map(([path]) => path)))
    const unused = model.files.filter(([path]) => !used.has(path)).sort(([, a], [, b]) => b - a)
    const isWorthIt = bytesOf(unused) >= WORTH_A_LINE * bytesOf(model.files)
    return ofModel.length > 0 && unused.length > 0 && isWorthIt ? [lineOf(model, unused, ofModel)] : []
  })
}

function lineOf(model: DeclaredDownload, unused: DeclaredDownload['files'], uses: Use[]): string {
  const [[first = ''] = [], ...others] = unused
  const files = others.length > 0 ? `${first} and ${count(others.length, 'more file')}` : first
  const label = labelOf(model)
  const specs = [...new Set(uses.flatMap(fieldsOf).map((fields) => source({ repo: label, ...fields })))]
  return `declared and not used: ${files} (${formatSize(bytesOf(unused))}) of ${label}. Write ${specs.join(', ')} in \`models\` to spare the download.`
}

/** What to write beside `repo`, so that the warm-up downloads what was used; several where one can't say it. */
function fieldsOf({ selection, files }: Use): object[] {
  const { paths, optional, externalData, ...fields } = selectionOf(selection)
  if (Object.keys(fields).length > 0) return [fields]
  const used = files.map(([path]) => path).sort()
  const weights = used.filter((path) => path.endsWith('.onnx')).map((path) => weightsOf(path))
  const byBase = new Map<string, Dtype[]>()
  for (const found of weights) {
    if (!found) return [{ files: used }]
    byBase.set(found.base, [...(byBase.get(found.base) ?? []), found.dtype])
  }
  const dtypes = new Set([...byBase.values()].flat())
  if (dtypes.size === 0) return [{ files: used }]
  const isOneForEach = [...byBase.values()].every(({ length }) => length === 1)
  if (dtypes.size === 1 || !isOneForEach) return [...dtypes].map((dtype) => ({ dtype }))
  return [{ dtype: Object.fromEntries([...byBase].map(([base, [dtype]]) => [base, dtype])) }]
}

/** A child process wrote it: it may be anything. */
function selectionOf(key: string): Selection {
  try {
    return parseSelection(JSON.parse(key)) ?? {}
  } catch {
    return {}
  }
}

/** A value as it is written in a config. */
function source(value: unknown): string {
  if (typeof value === 'string')
    return `'${JSON.stringify(value).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`
  if (Array.isArray(value)) return `[${value.map(source).join(', ')}]`
  if (typeof value !== 'object' || value === null) return String(value)
  const fields = Object.entries(value).map(
    ([name, field]) => `${/^\w+$/.test(name) ? name : source(name)}: ${source(field)}`,
  )
  return `{ ${fields.join(', ')} }`
}

function bytesOf(files: DeclaredDownload['files']): number {
  return files.reduce((sum, [, bytes]) => sum + bytes, 0)
}
