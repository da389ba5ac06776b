import { chooseEventsFolder } from '../events-folder.ts'
import type { Project } from '../project.ts'
import type { Session } from '../session.ts'

/** Prepares the cache folder for the child processes of a project's tests, and chooses where they report. */
export async function serveChildren({ runId }: Session, project: Project): Promise<void> {
  const { mode, intercept } = project.options
  if (mode === 'unit' || intercept.length === 0) return
  // The cache folder gets its marker file first. Programs in other languages find the folder too, and would fill it without a marker.
  await project.cache.prepare()
  project.events ??= chooseEventsFolder(project.cache.context, runId)
}
