import { isEventsName } from '../../cache/store/own-names.ts'
import { type ChildEvent, foldEvents } from '../../intercept/events-file.ts'
import type { EventsFolder } from '../events-folder.ts'
import { takeFiles } from './take-files.ts'

/** Reads the reports that child processes wrote since the last call, and removes them. */
export function takeChildEvents(folder: EventsFolder): ChildEvent[] {
  return takeFiles(folder, (name) => isEventsName(name) && name.endsWith('.jsonl')).flatMap(foldEvents)
}
