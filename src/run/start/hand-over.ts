import type { Manifest } from '../../cache/context/manifest.ts'
import { isMarked } from '../../cache/store/remove-own.ts'
import { cacheSettings } from '../../config/options.ts'
import { manifestFile } from '../manifest-file.ts'
import type { Project } from '../project.ts'
import type { Session } from '../session.ts'
import type { WorkerSettings } from '../worker-settings.ts'
import { writeManifest } from './write-manifest.ts'

/**
 * Hands a manifest over to the workers of a project and to their child processes. Writes the manifest for the child processes, and
 * returns the settings that the runner passes to the workers. `filesAtOnce`: how many test files run at the same time, at most.
 */
export async function handOver(
  { runId, projects }: Session,
  project: Project,
  { manifest, filesAtOnce }: { manifest: Manifest; filesAtOnce: number },
): Promise<WorkerSettings> {
  const { root, options, events, workers } = project
  const { layout, refusal } = project.cache.context
  // Models may have arrived since the manifest was made. A prefetch writes the manifest itself.
  const begun = await project.prefetch?.beginTests()
  if (events && !begun) writeManifest(manifestFile(events.folder), manifest)
  const { mode, debug, intercept, threads } = options
  // The settings of the Hub are listed by name: the token must not be among them.
  const { endpoint, concurrency, timeoutMs } = options.hub
  // The user's own remote has functions, which can't be sent. Workers need not wait for a remote that does not answer.
  const isForWorkers = options.remote?.url !== undefined && !project.cache.context.isRemoteUnusable
  const remote = isForWorkers ? options.remote : undefined
  const cache = { ...cacheSettings(options), remote, hub: { endpoint, concurrency, timeoutMs } }
  return {
    ...{ run: { id: runId, pid: process.pid }, root, mode, debug, cache },
    manifest: begun?.manifest ?? manifest,
    arrivals: begun?.arrivals,
    intercept,
    threads: { threads, filesAtOnce },
    events: events?.folder ?? '',
    hub: isMarked(layout) && !refusal ? layout.hub : undefined,
    workers: workers && { ...workers, group: `${runId} ${[...projects.values()].indexOf(project)}` },
  }
}

/**
 * The manifest of a further run in watch mode. A model that the first run downloaded is not a miss of the next one. A download
 * that failed is tried again.
 */
export function manifestOfRerun({ models }: Manifest): Manifest {
  return { models: models.map((model) => ({ ...model, downloaded: false })), failures: [] }
}
