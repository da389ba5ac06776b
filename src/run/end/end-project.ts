import { removeEventsFolder } from '../events-folder.ts'
import type { Project } from '../project.ts'

/** Ends a project's part of the session: removes the folder for events, and releases the claims on entries. */
export async function endProject({ cache, events, prefetch }: Project): Promise<void> {
  await prefetch?.stop()
  if (events) await removeEventsFolder(events)
  await cache.endRun()
}
