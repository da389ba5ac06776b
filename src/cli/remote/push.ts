import process from 'node:process'
import type { PushedModel } from '../../cache/push.ts'
import { formatDuration, formatSize } from '../../config/units.ts'
import { originals } from '../../platform/originals.ts'
import { count } from '../../report/words.ts'
import { interrupted } from '../interruption.ts'
import { type GlobalOptions, openCache } from '../open-cache.ts'
import { printJson } from '../show/json.ts'
import { printLines, printNotes } from '../show/print.ts'
import { openModelsProgress } from '../show/progress.ts'
import { paint } from '../show/style.ts'
import { atCommit } from '../show/text.ts'
import { addressOf } from './address.ts'

interface PushFlags extends GlobalOptions {
  dryRun?: boolean
}

/** Sends the cached models, or those that are named, to the remote. The exit code is 1 if one that is to be shared was not sent. */
export async function push(names: string[], options: PushFlags): Promise<number> {
  const { dryRun = false } = options
  const { cache } = await openCache(options)
  const entries = names.length > 0 ? await cache.find(...names) : await cache.list()
  const started = originals.monotonic()
  const progress = await openModelsProgress('↑')
  let pushed: PushedModel[]
  try {
    pushed = await cache.push(entries, { dryRun, signal: interrupted, onProgress: progress.show })
  } finally {
    progress.end()
  }
  const ms = originals.monotonic() - started
  const remote = addressOf(cache)
  if (options.json) printJson({ remote, dryRun, models: pushed.map(modelJson), ms: Math.round(ms) })
  else print(pushed, { remote, ms, dryRun })
  // Who names a model wants it to be sent. Otherwise models that must not be shared are nothing unusual.
  const isFailure = ({ outcome }: PushedModel) => outcome !== 'shared' && (outcome !== 'skipped' || names.length > 0)
  return pushed.some(isFailure) ? 1 : 0
}

interface Run {
  remote: string
  ms: number
  dryRun: boolean
}

function print(pushed: PushedModel[], { remote, ms, dryRun }: Run): void {
  if (pushed.length === 0) {
    printLines('The cache holds no model.')
    return
  }
  for (const model of pushed) {
    const { outcome, reason = '' } = model
    if (outcome === 'shared') printLines(`${paint('green', '✓')} ${atCommit(model)}  ${amounts(model, dryRun)}`)
    else if (outcome === 'skipped') printLines(`${paint('dim', '-')} ${atCommit(model)}  skipped: ${reason}`)
    else printNotes(`${paint('red', '✗', process.stderr)} ${atCommit(model)}  not sent: ${reason}`)
  }
  const shared = pushed.filter(({ outcome }) => outcome === 'shared')
  const bytes = shared.reduce((sum, { sentBytes }) => sum + sentBytes, 0)
  const what = `${shared.length} of ${count(pushed.length, 'model')}`
  if (dryRun) printLines(`Would send ${formatSize(bytes)} of ${what} to ${remote}`)
  else printLines(`${remote} has ${what}. Sent ${formatSize(bytes)} in ${formatDuration(ms)}.`)
}

/** `12 MiB sent, 3 MiB already there` */
function amounts({ sentBytes, presentBytes }: PushedModel, dryRun: boolean): string {
  const sent = dryRun ? `would send ${formatSize(sentBytes)}` : `${formatSize(sentBytes)} sent`
  if (sentBytes === 0) return `${formatSize(presentBytes)}, all already there`
  return presentBytes > 0 ? `${sent}, ${formatSize(presentBytes)} already there` : sent
}

function modelJson({ reason, ...model }: PushedModel): object {
  return { ...model, reason: reason ?? null }
}
