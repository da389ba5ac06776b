import { formatSize } from '../config/units.ts'
import type { RequestEvent } from '../model/request.ts'
import { fieldsFor, sourceOf } from './declare.ts'
import { count, labelOf } from './words.ts'

/** A declared model that the warm-up of this run downloaded. */
export interface DeclaredDownload {
  repo: string
  revision: string
  commit: string
  files: [path: string, bytes: number][]
}

type Use = Pick<RequestEvent, 'repo' | 'commit' | 'selection' | 'files'>

/** The share of a model's bytes below which unused files have no line. */
const WORTH_A_LINE = 0.1

/**
 * One line for each declared model with files that were downloaded and not used, while tests used other files of it. The line says
 * what to declare instead. A model that no test used at all has no line: the tests that use it may not have run. Pure.
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
  const specs = [...new Set(uses.flatMap(fieldsFor).map((fields) => sourceOf({ repo: label, ...fields })))]
  return `declared but not used: ${files} (${formatSize(bytesOf(unused))}) of ${label}. Write ${specs.join(', ')} in \`models\` to avoid the download.`
}

function bytesOf(files: DeclaredDownload['files']): number {
  return files.reduce((sum, [, bytes]) => sum + bytes, 0)
}
