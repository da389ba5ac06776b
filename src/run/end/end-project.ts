import { removeEventsFolder } from '../events-folder.ts'
import type { Project } from '../project.ts'

/** Ends a project's part of the session: removes the folder for events, and releases the claims on entries. */
export async function endProject({ cache, events }: Project): Promise<void> {
  if (events) await removeEventsFolder(events)
  await cache.endRun()
}
