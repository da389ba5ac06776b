import { isGlob, matchEntries } from '../cache/find.ts'
import type { ModelCache } from '../cache/model-cache.ts'
import { nameMatcher } from '../cache/selection/glob.ts'
import type { Entry } from '../model/entry.ts'
import { ModelCacheError } from '../model/errors.ts'
import { type Model, modelKey, parseModel, selectedKey } from '../model/model.ts'
import { declaredModels } from './config/declared-models.ts'
import type { TestConfig } from './config/read-config.ts'

/** The models that a call names, those that the config declares, or both: the config counts with its flag and without a name. */
export async function modelsOfCall(
  names: string[],
  flags: { config?: boolean },
  { cache, config }: { cache: ModelCache; config: TestConfig | undefined },
): Promise<Model[]> {
  const declared = await declaredModels(config)
  const cached = names.length > 0 ? await cache.list() : []
  const named = names.flatMap((name) => modelsNamed(name, declared, cached))
  return distinct([...named, ...(flags.config || names.length === 0 ? declared : [])])
}

/**
 * The models that a name of the command line stands for: a glob means the declared and the cached models that match, the first digits
 * of a commit mean the cached model at it, and any other name means the model of that name at the Hub. Throws `MODEL_NOT_FOUND` for a
 * glob that matches none, and `INVALID_MODEL` for a malformed name. Pure.
 */
export function modelsNamed(name: string, declared: Model[], cached: Entry[]): Model[] {
  if (isGlob(name)) return matching(name, declared, cached)
  const byCommit = matchEntries(name, cached).filter(({ repo, commit }) => repo !== name && commit.startsWith(name))
  return byCommit.length > 0 ? byCommit.map(modelOf) : [parseModel(name)]
}

function matching(glob: string, declared: Model[], cached: Entry[]): Model[] {
  const [repos, revision] = splitRevision(glob)
  const matches = nameMatcher(repos)
  const isMeant = (model: Model) => matches(model.repo) && (revision === undefined || model.revision === revision)
  const meant = declared.filter(isMeant)
  const keys = new Set(meant.map(modelKey))
  // A declared model says which files are meant.
  const others = cached.map(modelOf).filter((model) => isMeant(model) && !keys.has(modelKey(model)))
  if (meant.length + others.length > 0) return [...meant, ...others]
  throw new ModelCacheError({
    code: 'MODEL_NOT_FOUND',
    asked: `Models ${glob}`,
    reason: 'No model of the config or of the cache matches. The Hub is not searched for globs.',
    nextStep: 'Name the models one by one: `npx vitest-model-cache warm org/name`.',
  })
}

function splitRevision(name: string): [string, string | undefined] {
  const at = name.indexOf('@')
  return at === -1 ? [name, undefined] : [name.slice(0, at), name.slice(at + 1)]
}

/** The files that earlier runs used of a cached model. */
function modelOf({ repo, revision }: Entry): Model {
  return { repo, revision, selection: {}, pin: false }
}

function distinct(models: Model[]): Model[] {
  return [...new Map(models.map((model) => [selectedKey(model), model])).values()]
}
