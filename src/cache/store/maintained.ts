import { readFileSync, writeFileSync } from 'node:fs'
import { isObject } from '../../model/json.ts'
import { isoNow, originals } from '../../platform/originals.ts'
import { stampOf } from './blobs.ts'
import type { Layout } from './layout.ts'
import { isMarked } from './remove-own.ts'

const DAY_MS = 24 * 3_600_000

interface Mark {
  completedAt: string | null
  isPackingLeft: boolean
}

/** When maintenance was last complete: ISO 8601. Null before the first time. */
export function maintainedAt(layout: Layout): string | null {
  return readMark(layout).completedAt
}

/** True if the last complete maintenance left models that are to be packed. */
export function isPackingLeft(layout: Layout): boolean {
  return readMark(layout).isPackingLeft
}

function readMark(layout: Layout): Mark {
  try {
    const mark: unknown = JSON.parse(readFileSync(layout.maintained, 'utf8'))
    const { completedAt, left } = isObject(mark) ? mark : {}
    return { completedAt: typeof completedAt === 'string' ? completedAt : null, isPackingLeft: left === 'packing' }
  } catch {
    return { completedAt: null, isPackingLeft: false }
  }
}

/** True if maintenance was complete within these milliseconds. A date in the future counts for nothing: the clock was changed. */
export function wasMaintainedWithin(layout: Layout, ms: number): boolean {
  const ageMs = originals.now() - Date.parse(maintainedAt(layout) ?? '')
  return ageMs >= 0 && ageMs < ms
}

/** True if maintenance was not complete for a day, in a cache folder that is older than a day. */
export function isMaintenanceOverdue(layout: Layout): boolean {
  const ageMs = originals.now() - (stampOf(layout.marker)?.mtimeMs ?? originals.now())
  return ageMs > DAY_MS && !wasMaintainedWithin(layout, DAY_MS)
}

/** Notes that maintenance was complete, or that only models are left to pack. A cache folder that was removed is not made again. */
export function markMaintained(layout: Layout, { isPackingLeft }: Pick<Mark, 'isPackingLeft'>): void {
  // A folder that is being removed must not get a new file.
  if (!isMarked(layout)) return
  const mark = { completedAt: isoNow(), ...(isPackingLeft && { left: 'packing' }) }
  try {
    writeFileSync(layout.maintained, `${JSON.stringify(mark)}\n`, { mode: 0o600 })
  } catch {
    // The folder is gone, full or read-only. The next maintenance then looks at everything again.
  }
}
