import { count } from '../report/words.ts'
import { type GlobalOptions, openCache } from './open-cache.ts'
import { printJson } from './show/json.ts'
import { printLines, printNotes } from './show/print.ts'
import { isWithin } from './statistics.ts'
import { modelsSource } from './suggest/print-suggestions.ts'
import { suggestModels } from './suggest/used-models.ts'

export interface SuggestOptions extends GlobalOptions {
  runs: number
}

/** Prints the `models` that the last runs of this project used, as the config declares them. 1 where no run is recorded. */
export async function suggest({ runs: runCount, ...global }: SuggestOptions): Promise<number> {
  const { cache } = await openCache(global)
  const runs = await cache.lastRunsOf(({ project }) => isWithin(project, process.cwd()), runCount)
  const suggestions = await suggestModels(cache, runs)
  if (global.json)
    printJson({ runs: runs.length, models: suggestions.map(({ fields, ...model }) => ({ ...model, ...fields })) })
  else if (suggestions.length > 0) printLines(modelsSource(suggestions))
  if (runs.length === 0) printNotes('No run of this project is recorded: run the tests once.')
  else if (suggestions.length === 0) printNotes(`The last ${count(runs.length, 'run')} used no model.`)
  return suggestions.length > 0 ? 0 : 1
}
