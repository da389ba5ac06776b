import { describe, expect, test } from 'vitest'
import { totalSize } from '../../../src/cache/store/entries/used-bytes.ts'
import { type Limits, planRemovals } from '../../../src/cache/upkeep/limits.ts'
import type { Digest } from '../../../src/model/digest.ts'
import { type Entry, type EntryFile, entryKey } from '../../../src/model/entry.ts'
import { type HubPath, parseHubPath } from '../../../src/model/hub-path.ts'
import { parseRepoId } from '../../../src/model/repo-id.ts'
import { parseCommit } from '../../../src/model/revision.ts'
import { entryWith } from '../../support/entry.ts'
import fc from '../../support/property.ts'

const NOW = Date.parse('2026-06-01T00:00:00.000Z')
const NONE: ReadonlySet<string> = new Set()
const FOREVER = Number.POSITIVE_INFINITY

interface Sketch {
  repo: string
  commit: number
  /** Blobs by their numbers. A blob has as many bytes as its number. */
  blobs: number[]
  /** Milliseconds since the last use. */
  idleMs: number
  pinned: boolean
  leased: boolean
}

function entryOf({ repo, commit, blobs, idleMs, pinned }: Sketch): Entry {
  const files = blobs.map((blob): [HubPath, EntryFile] => {
    const digest: Digest = `sha1:${blob.toString(16).padStart(40, '0')}`
    return [parseHubPath(`${blob}.bin`, 'a test'), { size: blob, digest, downloadMs: null, mtimeMs: 0, ino: '0' }]
  })
  return entryWith({
    repo: parseRepoId(repo),
    commit: parseCommit(commit.toString(16).padStart(40, '0'), 'a test'),
    lastAccessDate: new Date(NOW - idleMs).toISOString(),
    pinned,
    files: new Map(files),
  })
}

function sketch(parts: Partial<Sketch> & { commit: number }): Sketch {
  return { repo: 'org/name', blobs: [], idleMs: 0, pinned: false, leased: false, ...parts }
}

function plan(sketches: Sketch[], limits: Limits) {
  const entries = sketches.map(entryOf)
  const leased = new Set(entries.filter((_, index) => sketches[index]?.leased).map(entryKey))
  const removals = planRemovals(entries, limits, { now: NOW, leased })
  const removed = new Set([...removals.expired, ...removals.evicted])
  return { ...removals, entries, leased, kept: entries.filter((entry) => !removed.has(entry)) }
}

function commits(entries: Entry[]): number[] {
  return entries.map(({ commit }) => Number.parseInt(commit, 16))
}

const anySketches = fc.uniqueArray(
  fc.record({
    repo: fc.constantFrom('org/a', 'org/b', 'c'),
    commit: fc.nat({ max: 1000 }),
    blobs: fc.uniqueArray(fc.integer({ min: 1, max: 12 }), { maxLength: 4 }),
    idleMs: fc.nat({ max: 1000 }),
    pinned: fc.boolean(),
    leased: fc.boolean(),
  }),
  { selector: ({ commit }) => commit, maxLength: 12 },
)
const anyLimits = fc.record({ maxSize: fc.nat({ max: 120 }), maxAge: fc.nat({ max: 1200 }) })

function holds(check: (planned: ReturnType<typeof plan>, limits: Limits) => void): void {
  fc.assert(
    fc.property(anySketches, anyLimits, (sketches, limits) => check(plan(sketches, limits), limits)),
    { numRuns: 500 },
  )
}

describe('for any entries and limits', () => {
  const isFree = (entry: Entry, leased: ReadonlySet<string>) => !entry.pinned && !leased.has(entryKey(entry))

  test('pinned and leased entries stay', () => {
    holds(({ expired, evicted, leased }) => {
      for (const entry of [...expired, ...evicted]) expect(isFree(entry, leased)).toBe(true)
    })
  })

  test('the kept entries fit, or no more entries can be removed', () => {
    holds(({ kept, leased }, { maxSize }) => {
      if (totalSize(kept) > maxSize) expect(kept.filter((entry) => isFree(entry, leased))).toEqual([])
    })
  })

  test('no entry is evicted that would fit beside the kept ones', () => {
    holds(({ kept, evicted }, { maxSize }) => {
      for (const entry of evicted) expect(totalSize([...kept, entry])).toBeGreaterThan(maxSize)
    })
  })

  test('nothing is evicted when all entries fit', () => {
    holds(({ entries, expired, evicted }, { maxSize }) => {
      if (totalSize(entries.filter((entry) => !expired.includes(entry))) <= maxSize) expect(evicted).toEqual([])
    })
  })

  test('the least recently used entry is evicted first, and an older entry stays only if it fits', () => {
    holds(({ kept, evicted, leased }, { maxSize }) => {
      const times = evicted.map(({ lastAccessDate }) => lastAccessDate)
      expect(times).toEqual([...times].sort())
      const newest = evicted.at(-1)
      if (!newest) return
      const isOlder = (entry: Entry) => isFree(entry, leased) && entry.lastAccessDate < newest.lastAccessDate
      // Also without the older entries that were kept, there was no room for it.
      const younger = kept.filter((entry) => !isOlder(entry))
      expect(totalSize([...younger, newest])).toBeGreaterThan(maxSize)
    })
  })

  test('exactly the free entries older than the limit are expired', () => {
    holds(({ entries, expired, leased }, { maxAge }) => {
      const isOld = (entry: Entry) => NOW - Date.parse(entry.lastAccessDate) > maxAge
      expect(expired).toEqual(entries.filter((entry) => isOld(entry) && isFree(entry, leased)))
    })
  })

  test('the given list is not changed', () => {
    fc.assert(
      fc.property(anySketches, anyLimits, (sketches, limits) => {
        expect(plan(sketches, limits).entries).toEqual(sketches.map(entryOf))
      }),
    )
  })
})

describe('eviction', () => {
  test('keeps an entry whose blobs are all in another entry that stays', () => {
    const { evicted, kept } = plan(
      [
        sketch({ commit: 1, blobs: [50], idleMs: 300 }),
        sketch({ commit: 2, blobs: [60], idleMs: 200 }),
        sketch({ commit: 3, blobs: [50], idleMs: 100, pinned: true }),
      ],
      { maxSize: 50, maxAge: FOREVER },
    )
    expect(commits(evicted)).toEqual([2])
    expect(commits(kept)).toEqual([1, 3])
  })

  test('keeps an entry without files', () => {
    const two = [sketch({ commit: 1, idleMs: 300 }), sketch({ commit: 2, blobs: [60], idleMs: 200 })]
    expect(commits(plan(two, { maxSize: 50, maxAge: FOREVER }).evicted)).toEqual([2])
  })

  test('keeps a small entry that fits after a larger one was evicted', () => {
    const { evicted, kept } = plan(
      [
        sketch({ commit: 1, blobs: [5], idleMs: 300 }),
        sketch({ commit: 2, blobs: [80], idleMs: 200 }),
        sketch({ commit: 3, blobs: [40], idleMs: 100 }),
      ],
      { maxSize: 60, maxAge: FOREVER },
    )
    expect(commits(evicted)).toEqual([2])
    expect(commits(kept)).toEqual([1, 3])
  })

  test('keeps the newest of the small entries when not all of them fit', () => {
    const { evicted } = plan(
      [
        sketch({ commit: 1, blobs: [10], idleMs: 400 }),
        sketch({ commit: 2, blobs: [9], idleMs: 300 }),
        sketch({ commit: 3, blobs: [90], idleMs: 200 }),
        sketch({ commit: 4, blobs: [40], idleMs: 100 }),
      ],
      { maxSize: 50, maxAge: FOREVER },
    )
    expect(commits(evicted)).toEqual([1, 3])
  })

  test('reads each file only a few times, however many entries there are', () => {
    const reads = { count: 0 }
    const entries = Array.from({ length: 1000 }, (_, commit) => {
      const entry = entryOf(sketch({ commit, idleMs: commit, blobs: Array.from({ length: 8 }, (_, i) => commit + i) }))
      return { ...entry, files: new CountedFiles(entry.files, reads) }
    })
    const half = totalSize(entries) / 2
    reads.count = 0
    const { evicted } = planRemovals(entries, { maxSize: half, maxAge: FOREVER }, { now: NOW, leased: NONE })
    expect(evicted.length).toBeGreaterThan(100)
    // Each file is read when its entry is added, removed, added again as a trial, and removed again.
    expect(reads.count).toBeLessThanOrEqual(4 * 8 * entries.length)
  })
})

/** Counts how often files are read. */
class CountedFiles extends Map<HubPath, EntryFile> {
  readonly #reads: { count: number }

  constructor(files: Iterable<[HubPath, EntryFile]>, reads: { count: number }) {
    super(files)
    this.#reads = reads
  }

  override *values() {
    for (const file of super.values()) {
      this.#reads.count++
      yield file
    }
    return undefined
  }
}

describe('sizes', () => {
  test('count a blob that two snapshots of a repo share once', () => {
    const entries = [sketch({ commit: 1, blobs: [5, 7] }), sketch({ commit: 2, blobs: [5, 9] })].map(entryOf)
    expect(totalSize(entries)).toBe(21)
    expect(totalSize([])).toBe(0)
  })

  test('count a blob that two repos have twice, as each repo has its own file', () => {
    const entries = [sketch({ commit: 1, blobs: [5] }), sketch({ commit: 2, blobs: [5], repo: 'org/other' })]
    expect(totalSize(entries.map(entryOf))).toBe(10)
  })

  test('keep the oldest entry when it shares its blobs with one that stays, and evict the next oldest', () => {
    const { evicted, kept } = plan(
      [
        sketch({ commit: 1, blobs: [50], idleMs: 300 }),
        sketch({ commit: 2, blobs: [50], idleMs: 100 }),
        sketch({ commit: 3, blobs: [60], idleMs: 200 }),
      ],
      { maxSize: 70, maxAge: FOREVER },
    )
    expect(commits(evicted)).toEqual([3])
    expect(commits(kept)).toEqual([1, 2])
  })

  test('can be equal to the limit', () => {
    const two = [sketch({ commit: 1, blobs: [50] }), sketch({ commit: 2, blobs: [20] })]
    expect(plan(two, { maxSize: 70, maxAge: FOREVER }).evicted).toEqual([])
    expect(commits(plan(two, { maxSize: 69, maxAge: FOREVER }).evicted)).toEqual([1])
  })
})

describe('ages', () => {
  test('are counted from the last use, and an entry with exactly the limit does not expire', () => {
    const two = [sketch({ commit: 1, idleMs: 1000 }), sketch({ commit: 2, idleMs: 1001 })]
    expect(commits(plan(two, { maxSize: 0, maxAge: 1000 }).expired)).toEqual([2])
    expect(plan(two, { maxSize: 0, maxAge: FOREVER }).expired).toEqual([])
  })

  test('in the future expire nothing', () => {
    const future = entryOf(sketch({ commit: 1, idleMs: -5000 }))
    expect(planRemovals([future], { maxSize: 0, maxAge: 0 }, { now: NOW, leased: NONE }).expired).toEqual([])
  })

  test('free room before anything is evicted', () => {
    const { expired, evicted } = plan(
      [sketch({ commit: 1, blobs: [50], idleMs: 2000 }), sketch({ commit: 2, blobs: [50], idleMs: 500 })],
      { maxSize: 60, maxAge: 1000 },
    )
    expect([commits(expired), commits(evicted)]).toEqual([[1], []])
  })
})
