import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { systemCode } from '../../model/errors.ts'
import type { Layout } from '../store/layout.ts'
import { isMarked, removeEmptyFolder, removeFile } from '../store/remove-own.ts'

// The processes of a run tell each other by a file that the remote is left alone. This code is apart from the remote's: each run with a
// remote looks for the file at its end, also one that asked the remote for nothing.

/** Removes the mark of a run that is over. */
export async function removeMark(layout: Layout, runId: string): Promise<void> {
  const mark = remoteMark(layout, runId)
  if (removeFile(layout, mark)) await removeEmptyFolder(layout, dirname(mark))
}

/** The file that tells the processes of a run to leave the remote alone. */
export function remoteMark({ directory }: Layout, runId: string): string {
  return join(directory, 'events', runId, 'remote.json')
}

/** True if a process of the run has written the mark. */
export function isLeftAlone(mark: string): boolean {
  try {
    return readFileSync(mark, 'utf8') !== ''
  } catch {
    return false
  }
}

/** Writes the mark. False if another process has written it before. */
export function leave(layout: Layout, mark: string, message: string): boolean {
  if (!isMarked(layout)) return true
  try {
    mkdirSync(dirname(mark), { recursive: true, mode: 0o700 })
    writeFileSync(mark, JSON.stringify({ leftAlone: message }), { flag: 'wx', mode: 0o600 })
    return true
  } catch (error) {
    return systemCode(error) !== 'EEXIST'
  }
}
