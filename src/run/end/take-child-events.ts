import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isEventsName } from '../../cache/store/own-names.ts'
import { removeFile, removeUnique } from '../../cache/store/remove-own.ts'
import { type ChildEvent, foldEvents } from '../../intercept/events-file.ts'
import type { EventsFolder } from '../events-folder.ts'

/** Reads the reports that child processes wrote since the last call, and removes them. */
export function takeChildEvents({ folder, layout }: EventsFolder): ChildEvent[] {
  if (!existsSync(folder)) return []
  const files = readdirSync(folder).filter((name) => isEventsName(name) && name.endsWith('.jsonl'))
  return files.flatMap((name) => {
    const text = readFileSync(join(folder, name), 'utf8')
    if (layout) removeFile(layout, join(folder, name))
    else removeUnique(join(folder, name))
    return foldEvents(text)
  })
}
