import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { removeFile, removeUnique } from '../../cache/store/remove-own.ts'
import type { EventsFolder } from '../events-folder.ts'

/** The texts of the files in a folder for events whose names are meant. Removes the files. */
export function takeFiles({ folder, layout }: EventsFolder, isMeant: (name: string) => boolean): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter(isMeant)
    .map((name) => {
      const text = readFileSync(join(folder, name), 'utf8')
      if (layout) removeFile(layout, join(folder, name))
      else removeUnique(join(folder, name))
      return text
    })
}
