import { existsSync, writeFileSync } from 'node:fs'
import type { Layout } from '../layout.ts'
import { makeFolder } from '../make-folder.ts'
import { removeFile } from '../remove-own.ts'

// A process that writes chunks can be interrupted before a model has them. The next packing finds these chunks and need not write them
// again. If no model gets them, they are to be freed. This file says that there may be such chunks. It is changed only under the lock of the
// pack files.

export function isUnfinished({ unfinishedPacks }: Layout): boolean {
  return existsSync(unfinishedPacks)
}

/** Call it before chunks are written. */
export function beginWriting(layout: Layout): void {
  makeFolder(layout, layout.cold)
  writeFileSync(layout.unfinishedPacks, '', { mode: 0o600 })
}

/** Call it when each chunk belongs to a model. */
export function endWriting(layout: Layout): void {
  removeFile(layout, layout.unfinishedPacks)
}
