import { locateOnDisk } from '../../cache/lookup/locate.ts'
import type { ModelCache } from '../../cache/model-cache.ts'
import type { RunRecord } from '../../cache/store/entries/runs.ts'
import { modelKey } from '../../model/model.ts'
import type { RepoId } from '../../model/repo-id.ts'
import { type Selection, selectionKey } from '../../model/selection.ts'
import { type DeclaredFields, fieldsFor } from '../../report/declare.ts'
import { modelOfUse } from '../../run/start/choice/last-used.ts'

/** One model as it is to be declared. */
export interface Suggestion {
  repo: RepoId
  revision: string
  /** Empty where the name alone means what was used. */
  fields: DeclaredFields
}

/** The uses of one repo at one revision. */
interface Uses {
  repo: RepoId
  revision: string
  commit: string
  /** What tests named: a task, a dtype, globs, or nothing. */
  named: Map<string, Selection>
  /** The paths that untouched code asked for. */
  paths: Set<string>
}

/** The models to declare, so that a warm-up downloads what the runs used. `runs` begin with the newest. */
export async function suggestModels(cache: ModelCache, runs: RunRecord[]): Promise<Suggestion[]> {
  const suggestions: Suggestion[] = []
  for (const uses of usesIn(runs))
    for (const fields of await fieldsOf(cache, uses))
      suggestions.push({ repo: uses.repo, revision: uses.revision, fields })
  const order = ({ repo, revision, fields }: Suggestion) => `${modelKey({ repo, revision })} ${JSON.stringify(fields)}`
  return suggestions.sort((a, b) => (order(a) < order(b) ? -1 : 1))
}

/** Where a revision was at several commits, the newest run decides. */
function usesIn(runs: RunRecord[]): Uses[] {
  const found = new Map<string, Uses>()
  for (const use of runs.flatMap(({ used }) => used)) {
    const model = modelOfUse(use)
    if (!model) continue
    const { repo, revision, selection } = model
    const known = found.get(modelKey(model))
    const uses = known ?? { repo, revision, commit: use.commit, named: new Map(), paths: new Set() }
    if (uses.commit !== use.commit) continue
    found.set(modelKey(model), uses)
    if (selection.paths === undefined) uses.named.set(selectionKey(selection), selection)
    else for (const path of use.files ?? selection.paths) uses.paths.add(path)
  }
  return [...found.values()]
}

async function fieldsOf(cache: ModelCache, uses: Uses): Promise<DeclaredFields[]> {
  const named = [...uses.named.values()].map(declarable)
  const paths = [...uses.paths]
  if (paths.length === 0 || (named.length > 0 && (await covers(cache, uses, named, paths)))) return named
  return [...named, ...(await fieldsForPaths(cache, uses, paths))]
}

function declarable({ task, dtype, files, subfolder, modelFileName }: Selection): DeclaredFields {
  const fields = { task, dtype, files, subfolder, modelFileName }
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}

/** A task and a dtype where these mean all paths; else the paths themselves. */
async function fieldsForPaths(cache: ModelCache, uses: Uses, paths: string[]): Promise<DeclaredFields[]> {
  const byDtype = fieldsFor({ selection: '{}', files: paths.map((path): [string, number] => [path, 0]) })
  if (byDtype.some(({ files }) => files)) return byDtype
  const entry = (await cache.list()).find(({ repo, commit }) => repo === uses.repo && commit === uses.commit)
  if (!entry) return byDtype
  const withTask = entry.task === undefined ? [] : [byDtype.map((fields) => ({ task: entry.task, ...fields }))]
  for (const fields of [...withTask, byDtype]) if (await covers(cache, uses, fields, paths)) return fields
  return [{ files: paths.sort() }]
}

/** True if these declarations together select all of the paths, and select cached files only. */
async function covers(cache: ModelCache, { repo, revision }: Uses, all: DeclaredFields[], paths: string[]) {
  const meant = new Set<string>()
  for (const selection of all) {
    const located = await locateOnDisk(cache.context, { repo, revision, selection, pin: false }).catch(() => undefined)
    if (!located) return false
    for (const path of located.files.keys()) meant.add(path)
  }
  return paths.every((path) => meant.has(path))
}
