import process from 'node:process'
import { type PulledModel, pullModels } from '../../cache/pull.ts'
import { readLockFile } from '../../config/lock-file.ts'
import type { Options } from '../../config/options.ts'
import { formatDuration, formatSize } from '../../config/units.ts'
import { ModelCacheError } from '../../model/errors.ts'
import { type Model, modelKey } from '../../model/model.ts'
import { originals } from '../../platform/originals.ts'
import { count, labelOf } from '../../report/words.ts'
import { interrupted } from '../interruption.ts'
import { type GlobalOptions, type OpenedCache, openCache } from '../open-cache.ts'
import { printJson } from '../show/json.ts'
import { printLines, printNotes } from '../show/print.ts'
import { openProgress } from '../show/progress.ts'
import { paint } from '../show/style.ts'
import { modelsOfCall } from '../warm-names.ts'
import { addressOf } from './address.ts'

interface PullFlags extends GlobalOptions {
  locked?: boolean
  config?: boolean
  dryRun?: boolean
}

/**
 * Takes models from the remote into the cache: the files of the named models, of those of the config, or with `--locked` all files
 * of the models of the lock file. The exit code is 1 if a model failed, or if nothing of it is there.
 */
export async function pull(names: string[], options: PullFlags): Promise<number> {
  const { dryRun = false, locked: isWhole = false } = options
  const opened = await openCache(options, { needsWriting: !dryRun })
  const models = isWhole ? lockedModels(names, opened) : await modelsOfCall(names, options, opened)
  if (models.length === 0) {
    printNotes(
      'No model is named, and the config declares none. Name one: `npx vitest-model-cache pull org/name`, or add `--locked`.',
    )
    return 2
  }
  const started = originals.monotonic()
  const progress = await openProgress()
  let pulled: PulledModel[]
  try {
    const { context } = opened.cache
    pulled = await pullModels(context, models, { isWhole, dryRun, signal: interrupted, onProgress: progress.show })
  } finally {
    progress.end()
  }
  const run = { remote: addressOf(opened.cache), dryRun, ms: originals.monotonic() - started }
  if (options.json) printJson({ ...run, ms: Math.round(run.ms), models: pulled.map(modelJson) })
  else print(pulled, run)
  return pulled.some(({ outcome }) => outcome === 'failed' || outcome === 'absent') ? 1 : 0
}

/** The models of the lock file for the configured endpoint, or those of them that are named. */
function lockedModels(names: string[], { options }: Pick<OpenedCache, 'options'>): Model[] {
  const { lockfile, hub } = options
  const file = lockfile === undefined ? undefined : readLockFile(lockfile)
  if (!file) throw noLockFile(options)
  const locked = file.models
    .filter(({ endpoint }) => endpoint === hub.endpoint)
    .map(({ repo, revision }) => ({ repo, revision, selection: {}, pin: false }))
  if (locked.length === 0) throw nothingLocked(file.models, hub.endpoint)
  const isNamed = (model: Model, name: string) => [model.repo, labelOf(model), modelKey(model)].includes(name)
  const unknown = names.find((name) => !locked.some((model) => isNamed(model, name)))
  if (unknown !== undefined)
    throw new ModelCacheError({
      code: 'MODEL_NOT_FOUND',
      asked: `Model ${unknown}`,
      reason: 'The lock file does not have it.',
      nextStep: `Add it: \`npx vitest-model-cache lock ${unknown}\`. Nothing was changed.`,
    })
  return names.length === 0 ? locked : locked.filter((model) => names.some((name) => isNamed(model, name)))
}

function nothingLocked(models: readonly { endpoint: string }[], endpoint: string): ModelCacheError {
  const [other] = models
  return new ModelCacheError({
    code: 'MODEL_NOT_FOUND',
    asked: 'Flag --locked',
    reason: other
      ? `The lock file has no model of ${endpoint}, only of other endpoints such as ${other.endpoint}.`
      : 'The lock file has no model.',
    nextStep: other
      ? 'Check HF_ENDPOINT and the option `hub.endpoint`. Nothing was changed.'
      : 'Add the models with `npx vitest-model-cache lock`. Nothing was changed.',
  })
}

function noLockFile({ lockfile }: Options): ModelCacheError {
  return new ModelCacheError({
    code: 'INVALID_OPTION',
    asked: 'Flag --locked',
    reason: lockfile === undefined ? 'The option `lockfile` is false.' : `There is no lock file ${lockfile}.`,
    nextStep: 'Make one with `npx vitest-model-cache lock`, or name the models. Nothing was changed.',
  })
}

function print(pulled: PulledModel[], { remote, dryRun, ms }: { remote: string; dryRun: boolean; ms: number }): void {
  for (const model of pulled) {
    const name = labelOf(model)
    if (model.error) printNotes(`${paint('red', '✗', process.stderr)} ${model.error.message}`)
    else if (model.outcome === 'absent')
      printNotes(
        `${paint('red', '✗', process.stderr)} ${name}: the remote has none of its ${count(model.files, 'file')}`,
      )
    else {
      const mark = model.outcome === 'complete' ? paint('green', '✓') : paint('yellow', '!')
      printLines([`${mark} ${name}  ${amounts(model, dryRun)}`, ...lackingLines(model)].join('\n'))
    }
  }
  const bytes = pulled.reduce((sum, { pulledBytes }) => sum + pulledBytes, 0)
  const files = pulled.reduce((sum, { pulledFiles }) => sum + pulledFiles, 0)
  const what = `${count(files, 'file')} (${formatSize(bytes)}) of ${count(pulled.length, 'model')} from ${remote}`
  if (files > 0) printLines(dryRun ? `Would take ${what}` : `Took ${what} in ${formatDuration(ms)}`)
}

/** `3 files (12 MiB, 1 MiB received), 2 already cached, 9 not on the remote` */
function amounts(
  { pulledFiles, pulledBytes, receivedBytes, presentFiles, lacking }: PulledModel,
  dryRun: boolean,
): string {
  const received =
    dryRun || receivedBytes === null || receivedBytes >= pulledBytes ? '' : `, ${formatSize(receivedBytes)} received`
  const parts = [
    ...(pulledFiles > 0
      ? [`${dryRun ? 'would take ' : ''}${count(pulledFiles, 'file')} (${formatSize(pulledBytes)}${received})`]
      : []),
    ...(presentFiles > 0 ? [`${presentFiles} already cached`] : []),
    ...(lacking.length > 0 ? [`${lacking.length} not on the remote`] : []),
  ]
  return parts.join(', ')
}

const MOST_NAMES = 8

function lackingLines({ lacking }: PulledModel): string[] {
  const more = lacking.length - MOST_NAMES
  const names = lacking.slice(0, MOST_NAMES).map((path) => `    ${path}`)
  return more > 0 ? [...names, `    and ${more} more`] : names
}

function modelJson({ error, ...model }: PulledModel): object {
  return { ...model, error: error?.toJSON() ?? null }
}
