import { weightsOf } from '../cache/selection/transformers-files.ts'
import type { RequestEvent } from '../model/request.ts'
import { type Dtype, parseSelection, type Selection } from '../model/selection.ts'

/** What tests used of a model: the requested selection, and the files that it resolved to, with their bytes. */
export type Used = Pick<RequestEvent, 'selection' | 'files'>

/** The fields of a declared model beside `repo`. */
export type DeclaredFields = Pick<Selection, 'task' | 'dtype' | 'files' | 'subfolder' | 'modelFileName'>

/** What to write beside `repo`, so that the warm-up downloads what was used. Several where one is not enough. */
export function fieldsFor({ selection, files }: Used): DeclaredFields[] {
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
  return [{ dtype: Object.fromEntries([...byBase].flatMap(([base, [dtype]]) => (dtype ? [[base, dtype]] : []))) }]
}

/** A child process may have written the key, so it can be any text. */
function selectionOf(key: string): Selection {
  try {
    return parseSelection(JSON.parse(key)) ?? {}
  } catch {
    return {}
  }
}

/** The source of a value, as a config has it. */
export function sourceOf(value: unknown): string {
  if (typeof value === 'string')
    return `'${JSON.stringify(value).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`
  if (Array.isArray(value)) return `[${value.map(sourceOf).join(', ')}]`
  if (typeof value !== 'object' || value === null) return String(value)
  const fields = Object.entries(value).map(
    ([name, field]) => `${/^\w+$/.test(name) ? name : sourceOf(name)}: ${sourceOf(field)}`,
  )
  return `{ ${fields.join(', ')} }`
}
