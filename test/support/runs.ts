import type { CachedEntry, CacheSummary } from '../../src/report/statistics.ts'
import type { Run, Span } from '../../src/report/types.ts'
import { MODEL, REPORT } from './reports.ts'

const START = Date.parse('2026-01-15T10:30:00.000Z')
export const DAY_MS = 24 * 3_600_000

/** A run as it is read from its record; it started `number` days after the first. */
export function makeRun(number = 0, parts: Partial<Run> = {}): Run {
  return {
    id: `run-${number}`,
    startedAt: new Date(START + number * DAY_MS).toISOString(),
    project: '/projects/app',
    used: [],
    report: REPORT,
    timeline: [],
    ...parts,
  }
}

export function makeSpan(parts: Partial<Span> = {}): Span {
  const steps = { lookup: 2, restore: 0, download: 0, load: 300 }
  return { model: 'org/name', testFile: 'test/a.test.ts', tier: 'disk', at: START, steps, bytes: MODEL.bytes, ...parts }
}

export function makeEntry(parts: Partial<CachedEntry> = {}): CachedEntry {
  const date = new Date(START).toISOString()
  const entry = { model: 'org/name', commit: MODEL.commit, bytes: MODEL.bytes, files: 4, pinned: false }
  return { ...entry, cachedAt: date, lastUsedAt: date, ...parts }
}

export function makeCache(entries: CachedEntry[], parts: Partial<CacheSummary> = {}): Omit<CacheSummary, 'efficiency'> {
  const size = entries.reduce((sum, { bytes }) => sum + bytes, 0)
  return {
    ...{ directory: '/home/user/.cache/vitest-model-cache', size, maxSize: 2 * 2 ** 30, maxAgeMs: 7 * DAY_MS },
    ...{ downloadedSize: size, diskBytes: size, freeBytes: 100 * 2 ** 30, entries },
    ...parts,
  }
}
