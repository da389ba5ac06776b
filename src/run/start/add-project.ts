import { ModelCache } from '../../cache/model-cache.ts'
import { stopMaintenance } from '../../cache/store/locks/stop-maintenance.ts'
import { cacheSettings, type Options } from '../../config/options.ts'
import type { Project } from '../project.ts'
import type { Session } from '../session.ts'

/**
 * Adds a project to the session, or replaces the project with the same key. Projects with the same cache settings share one
 * `ModelCache`, so they also share its size limit and its connections.
 */
export function addProject(
  session: Session,
  key: unknown,
  { root, options }: Pick<Project, 'root' | 'options'>,
): Project {
  const same = [...session.projects.values()].find((other) => cacheKey(other.options) === cacheKey(options))
  const project = { root, options, cache: same?.cache ?? makeCache(session, options) }
  // Maintenance in the background takes processor time that the start of this run needs.
  stopMaintenance(project.cache.context.layout)
  session.projects.set(key, project)
  return project
}

function makeCache({ runId, output }: Session, options: Options): ModelCache {
  return new ModelCache({
    ...options,
    run: { id: runId, pid: process.pid },
    onDebug: options.debug ? output.note : undefined,
    onWarning: output.note,
    whenUnusable: 'temporary',
  })
}

function cacheKey(options: Options): string {
  return JSON.stringify(cacheSettings(options))
}
