import type { Entry } from '../../model/entry.ts'
import { originals } from '../../platform/originals.ts'
import type { CacheContext } from '../context/context.ts'
import { isOurs } from '../store/cache-folder.ts'
import { trimCompiledCode } from '../store/compile-cache.ts'
import { type Amount, addTo, findIncomplete, removeIncomplete } from '../store/downloads/leftovers.ts'
import { readRunsOfEach } from '../store/entries/runs.ts'
import { leasedEntries } from '../store/locks/leases.ts'
import { stopMaintenance } from '../store/locks/stop-maintenance.ts'
import { type CleanChoice, type CleanPlan, isAll, planClean, type Usage } from './clean-plan.ts'
import { deleteEntries } from './remove.ts'

export interface CleanOptions extends CleanChoice {
  /** Only returns what would be removed. Leases of dead runs are removed all the same. */
  dryRun?: boolean
  signal?: AbortSignal
}

export interface Cleaned {
  removed: Entry[]
  kept: CleanPlan['kept']
  /** Unfinished downloads that were removed. */
  incomplete: Amount
  /** How many unfinished downloads stay, because a process may still be writing them. */
  incompleteHeld: number
  /** The compiled code of modules. It is removed only when all models are chosen. */
  code: Amount
  /** How many run records were read for `unusedRuns`. With 0, no model counts as unused. */
  runs: number
  /** Bytes of models, unfinished downloads and compiled code together. */
  freedBytes: number
}

/** Removes the chosen models and unfinished downloads. Never removes what a live run uses. */
export async function clean(context: CacheContext, options: CleanOptions = {}): Promise<Cleaned> {
  const { layout } = context
  if (context.refusal) throw context.refusal
  if (!isOurs(layout)) return { ...nothing(), kept: [] }
  // A model that it packs would be kept as one in use.
  if (!options.dryRun) stopMaintenance(layout)
  const { usage, runs } = await lastUses(context, options.unusedRuns)
  const plan = await makePlan(context, options, usage)
  const removed = options.dryRun
    ? { entries: plan.remove, freedBytes: plan.bytes }
    : await deleteEntries(context, plan.remove, undefined, options.signal)
  const gone = new Set(removed.entries)
  // Another process claimed these models, or began to work on their repos, meanwhile.
  const late = plan.remove.filter((entry) => !gone.has(entry)).map((entry) => ({ entry, why: 'in use' as const }))
  const isEverything = isAll(options) && !options.among
  const downloads = options.incomplete || isEverything ? await cleanIncomplete(context, options) : nothing()
  const { code } = isEverything ? { code: await trimCompiledCode(layout, { ...options, all: true }) } : nothing()
  return {
    removed: removed.entries,
    kept: [...plan.kept, ...late],
    incomplete: downloads.incomplete,
    incompleteHeld: downloads.incompleteHeld,
    ...{ code, runs },
    freedBytes: removed.freedBytes + downloads.incomplete.bytes + code.bytes,
  }
}

function nothing() {
  const removed: Entry[] = []
  const none = () => ({ files: 0, bytes: 0 })
  return { removed, incomplete: none(), incompleteHeld: 0, code: none(), runs: 0, freedBytes: 0 }
}

async function makePlan(context: CacheContext, options: CleanOptions, usage: Usage): Promise<CleanPlan> {
  const metadata = await context.metadata()
  const leased = await leasedEntries(context.layout)
  const state = { now: originals.now(), maxAge: context.options.maxAge, leased, usage }
  return planClean([...(await metadata.all()).values()], options, state)
}

async function lastUses(context: CacheContext, count: number | undefined): Promise<{ usage: Usage; runs: number }> {
  const runs = count === undefined ? [] : await readRunsOfEach(context.layout, count)
  const used = new Set(runs.flatMap((run) => run.used.map(({ repo, commit }) => `${repo}@${commit}`)))
  return { usage: { used, lastRun: runs[0]?.startedAt }, runs: runs.length }
}

async function cleanIncomplete({ layout }: CacheContext, { dryRun, signal }: CleanOptions) {
  const { free, held } = await findIncomplete(layout)
  const incomplete = { files: 0, bytes: 0 }
  for (const { path, bytes } of free) {
    signal?.throwIfAborted()
    addTo(incomplete, bytes)
    if (!dryRun) removeIncomplete(layout, path)
  }
  return { incomplete, incompleteHeld: held.length }
}
