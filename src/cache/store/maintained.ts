import { readFileSync, writeFileSync } from 'node:fs'
import { isObject } from '../../model/json.ts'
import { isoNow, originals } from '../../platform/originals.ts'
import type { Layout } from './layout.ts'
import { isMarked } from './remove-own.ts'

/** When maintenance was last complete: ISO 8601. Null before the first time. */
export function maintainedAt(layout: Layout): string | null {
  try {
    const mark: unknown = JSON.parse(readFileSync(layout.maintained, 'utf8'))
    return isObject(mark) && typeof mark.completedAt === 'string' ? mark.completedAt : null
  } catch {
    return null
  }
}

/** True if maintenance was complete within these milliseconds. A date in the future counts for nothing: the clock was changed. */
export function wasMaintainedWithin(layout: Layout, ms: number): boolean {
  const ageMs = originals.now() - Date.parse(maintainedAt(layout) ?? '')
  return ageMs >= 0 && ageMs < ms
}

/** Notes that maintenance was complete. A cache folder that was removed meanwhile is not made again. */
export function markMaintained(layout: Layout): void {
  // A folder that is being removed must not get a new file.
  if (!isMarked(layout)) return
  try {
    writeFileSync(layout.maintained, `${JSON.stringify({ completedAt: isoNow() })}\n`, { mode: 0o600 })
  } catch {
    // The folder is gone, full or read-only. The next maintenance then looks at everything again.
  }
}
