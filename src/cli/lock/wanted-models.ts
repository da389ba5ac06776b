import process from 'node:process'
import { isGlob } from '../../cache/find.ts'
import type { ModelCache } from '../../cache/model-cache.ts'
import { nameMatcher } from '../../cache/selection/glob.ts'
import { ModelCacheError } from '../../model/errors.ts'
import { type Model, modelKey, modelLabel, parseModel } from '../../model/model.ts'
import { type Commit, isCommit } from '../../model/revision.ts'
import { modelOfUse } from '../../run/start/choice/last-used.ts'
import { declaredModels } from '../config/declared-models.ts'
import type { TestConfig } from '../config/read-config.ts'
import { isWithin } from '../statistics.ts'

/** A model to lock. */
export interface Wanted extends Pick<Model, 'repo' | 'revision'> {
  /** The commit that the newest run used. */
  commit?: Commit
}

// The same number as of `suggest`.
const RUNS_BACK = 10

/** The models that the config declares and that the last runs of this project used. */
export async function wantedModels(cache: ModelCache, config: TestConfig | undefined): Promise<Wanted[]> {
  const runs = await cache.lastRunsOf(({ project }) => isWithin(project, process.cwd()), RUNS_BACK)
  const used = runs
    .flatMap((run) => run.used)
    .flatMap((use): Wanted[] => {
      const model = modelOfUse(use)
      return model ? [{ ...only(model), ...(isCommit(use.commit) && { commit: use.commit }) }] : []
    })
  // @huggingface/hub looks up the commit of a branch, and then asks for the files by the commit.
  const isOfBranch = ({ repo, revision }: Wanted) =>
    used.some((other) => other.repo === repo && other.commit === revision && other.revision !== revision)
  // Of several uses the first counts: it is of the newest run.
  return distinct([...used.filter((use) => !isOfBranch(use)), ...(await declaredModels(config)).map(only)])
}

/** The models that names mean: those of `known`, and for a name that is no glob else the model of that name at the Hub. */
export function namedModels(names: string[], known: Wanted[]): Wanted[] {
  return distinct(names.flatMap((name) => namedModel(name, known)))
}

function namedModel(name: string, known: Wanted[]): Wanted[] {
  const matches = isGlob(name) ? nameMatcher(name) : undefined
  const found = known.filter((model) =>
    matches ? matches(model.repo) : name === model.repo || name === modelLabel(model) || name === modelKey(model),
  )
  if (found.length > 0 || !matches) return found.length > 0 ? found : [only(parseModel(name))]
  throw new ModelCacheError({
    code: 'MODEL_NOT_FOUND',
    asked: `Models ${name}`,
    reason: 'No model of the lock file, the config or the last runs matches.',
    nextStep: 'Name the models one by one: `npx vitest-model-cache lock org/name`.',
  })
}

function only({ repo, revision }: Pick<Model, 'repo' | 'revision'>): Wanted {
  return { repo, revision }
}

/** True if one of the models is this one. */
export function isIn({ repo, revision }: Wanted, models: Wanted[]): boolean {
  return models.some((model) => model.repo === repo && model.revision === revision)
}

/** The first of each model. */
export function distinct(models: Wanted[]): Wanted[] {
  return [...new Map([...models].reverse().map((model) => [modelKey(model), model])).values()].reverse()
}
