import { relative } from 'node:path'
import process from 'node:process'
import { readLockFile } from '../config/lock-file.ts'
import { count } from '../report/words.ts'
import type { Runner, RunnerFlag } from './config/choose-runner.ts'
import type { TestConfig } from './config/read-config.ts'
import { nameOf } from './lock/check.ts'
import { isIn } from './lock/wanted-models.ts'
import { type GlobalOptions, type OpenedCache, openCache } from './open-cache.ts'
import { type Confirmation, confirm } from './show/confirm.ts'
import { printJson } from './show/json.ts'
import { printLines, printNotes } from './show/print.ts'
import { isWithin } from './statistics.ts'
import { elementOf, modelsSource } from './suggest/print-suggestions.ts'
import { type Suggestion, suggestModels } from './suggest/used-models.ts'

export interface SuggestOptions extends GlobalOptions, Confirmation, RunnerFlag {
  runs: number
  /** Edits the config. */
  write?: boolean
}

/**
 * Prints the `models` that the last runs of this project used, as the config declares them, or writes them into the config. Returns
 * exit code 1 if no run used a model, the user refuses, or the lines have to be pasted.
 */
export async function suggest(options: SuggestOptions): Promise<number> {
  const opened = await openCache(options)
  const { cache, config } = opened
  const runs = await cache.lastRunsOf(({ project }) => isWithin(project, process.cwd()), options.runs)
  const suggestions = await suggestModels(cache, runs)
  if (runs.length === 0) printNotes('No run of this project is recorded: run the tests once.')
  else if (suggestions.length === 0) printNotes(`The last ${count(runs.length, 'run')} used no model.`)
  tellOfLock(opened, suggestions)
  const written = options.write && suggestions.length > 0 ? await write(suggestions, config, options) : undefined
  if (options.json) {
    const models = suggestions.map(({ fields, ...model }) => ({ ...model, ...fields }))
    printJson({ runs: runs.length, models, ...(written && { written }) })
  } else if (suggestions.length > 0 && !options.write) printLines(modelsSource(suggestions))
  return suggestions.length > 0 && written !== 'not written' ? 0 : 1
}

/** Says that the lock file lacks some of the models. */
function tellOfLock({ options: { lockfile, hub } }: OpenedCache, suggestions: Suggestion[]): void {
  const file = lockfile === undefined ? undefined : readLockFile(lockfile)
  if (!file || lockfile === undefined) return
  const locked = file.models.filter(({ endpoint }) => endpoint === hub.endpoint)
  if (suggestions.every((model) => isIn(model, locked))) return
  printNotes(`${nameOf(lockfile)} lacks some of these models: run \`npx vitest-model-cache lock\`.`)
}

type Written = 'written' | 'declared already' | 'not written'

async function write(
  suggestions: Suggestion[],
  config: TestConfig | undefined,
  flags: SuggestOptions,
): Promise<Written> {
  const { editModels } = await import('./suggest/edit-models.ts')
  const runner = await runnerOf(config, flags)
  const file = runner && config?.[runner]?.file
  const edit = runner && file ? await editModels(runner, file, suggestions) : 'No config uses vitest-model-cache.'
  if (typeof edit === 'string') {
    const place = runner === 'jest' ? '`modelCache` of the Jest config' : 'the options of modelCache()'
    printNotes(`The config is left as it is. ${edit} Paste into ${place}:`)
    if (!flags.json) printLines(modelsSource(suggestions))
    return 'not written'
  }
  const name = relative(process.cwd(), edit.path)
  if (edit.after === edit.before) {
    if (!flags.json) printLines(`${name} declares all models of the last runs.`)
    return 'declared already'
  }
  if (!flags.json) printLines(`${name}: declare in \`models\``)
  if (!flags.json) for (const suggestion of suggestions) printLines(`  + ${elementOf(suggestion)}`)
  if (!(await confirm(`Write ${suggestions.length === 1 ? 'this model' : 'these models'} into ${name}?`, flags)))
    return 'not written'
  if (flags.dryRun) return 'not written'
  const { writeEdit } = await import('./config/check-edit.ts')
  await writeEdit(edit)
  if (!flags.json) printLines(`Wrote ${name}.`)
  return 'written'
}

/** The runner whose config uses this package. If both do, the one that the flag or the project names. */
async function runnerOf(config: TestConfig | undefined, flags: RunnerFlag): Promise<Runner | undefined> {
  const used: Runner[] = []
  if (config?.vitest?.options) used.push('vitest')
  if (config?.jest?.options.length) used.push('jest')
  if (used.length < 2) return used[0]
  const { chooseRunner } = await import('./config/choose-runner.ts')
  return chooseRunner(process.cwd(), flags)
}
