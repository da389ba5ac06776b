import { describe, expect, test } from 'vitest'
import { parseFilter } from '../../src/cli/filter.ts'
import type { Digest } from '../../src/model/digest.ts'
import { type Entry, entrySize } from '../../src/model/entry.ts'
import { parseHubPath } from '../../src/model/hub-path.ts'
import { parseRepoId } from '../../src/model/repo-id.ts'
import { entryWith } from '../support/entry.ts'
import { cases, hostileText, toleratedNow } from '../support/fuzz.ts'
import fc from '../support/property.ts'

const NOW = Date.parse('2026-06-01T00:00:00.000Z')
const DAY_MS = 86_400_000
const MB = 2 ** 20

function entryOf(parts: { size?: number; idleDays?: number; ageDays?: number } & Partial<Entry>): Entry {
  const { size = 0, idleDays = 0, ageDays = 0, ...rest } = parts
  const digest: Digest = `sha1:${'a'.repeat(40)}`
  const file = { size, digest, downloadMs: null, mtimeMs: 0, ino: '0' }
  return entryWith({
    files: new Map([[parseHubPath('weights.bin', 'a test'), file]]),
    lastAccessDate: new Date(NOW - idleDays * DAY_MS).toISOString(),
    cachedDate: new Date(NOW - ageDays * DAY_MS).toISOString(),
    ...rest,
  })
}

function passes(filter: string, entry: Entry): boolean {
  return parseFilter(filter)(entry, NOW)
}

describe('a filter', () => {
  test.each([
    ['size>100MB', { size: 101 * MB }, { size: 100 * MB }],
    ['size >= 100 MB', { size: 100 * MB }, { size: 100 * MB - 1 }],
    ['accessed>7d', { idleDays: 8 }, { idleDays: 7 }],
    ['used<1d', { idleDays: 0.5 }, { idleDays: 1 }],
    ['age>30d', { ageDays: 31 }, { ageDays: 30 }],
    ['hits=0', { hits: 0 }, { hits: 1 }],
    ['files!=1', { files: new Map() }, {}],
    ['pinned=true', { pinned: true }, { pinned: false }],
    ['pinned != yes', { pinned: false }, { pinned: true }],
    ['revision=dev', { revision: 'dev' }, { revision: 'main' }],
    ['model=*whisper*', { repo: parseRepoId('org/Whisper-tiny') }, { repo: parseRepoId('org/bert') }],
    ['model!=org/*', { repo: parseRepoId('other/name') }, { repo: parseRepoId('org/name') }],
    ['commit=0123', {}, { commit: 'f'.repeat(40) as Entry['commit'] }],
  ])('%s shows the entries that match, and no others', (filter, shown, hidden) => {
    expect(passes(filter, entryOf(shown))).toBe(true)
    expect(passes(filter, entryOf(hidden))).toBe(false)
  })

  test.each([
    ['size', 'It is not a comparison'],
    ['', 'It is not a comparison'],
    ['weight>5', 'There is no column `weight`'],
    ['size>7d', 'The value on the right must be a size'],
    ['accessed>100MB', 'The value on the right must be a duration'],
    ['hits>many', 'The value on the right must be a whole number'],
    ['model>a', '`model` can only be compared by = and !='],
    ['model=', 'The value on the right is missing'],
    ['pinned=perhaps', '`pinned` can only be true or false'],
  ])('%j is refused with the reason, an example and the columns', (filter, reason) => {
    expect(() => parseFilter(filter)).toThrow(
      expect.objectContaining({
        code: 'INVALID_OPTION',
        reason: expect.stringContaining(reason),
        nextStep: expect.stringMatching(/size>100MB.*accessed.*pinned/),
      }),
    )
  })

  test('is accepted or refused for any text, and an accepted filter decides for every entry', () => {
    const near = fc
      .array(
        fc.constantFrom(
          'size',
          'model',
          'pinned',
          'age',
          '>',
          '<',
          '=',
          '!',
          '7d',
          '1MB',
          ' ',
          '*',
          '[',
          '{',
          '(',
          '\n',
        ),
      )
      .map((parts) => parts.join(''))
    const property = fc.property(fc.oneof(near, hostileText), (text) => {
      const filter = toleratedNow(() => parseFilter(text))
      if (filter) expect(filter(entryOf({ size: 5 }), NOW)).toBeTypeOf('boolean')
    })
    fc.assert(property, cases(1500))
  })

  test('and its opposite together match each entry once', () => {
    const opposites = fc.constantFrom(['>', '<='], ['<', '>='], ['=', '!='])
    const field = fc.constantFrom('size', 'hits', 'files')
    const property = fc.property(field, opposites, fc.nat(50), fc.nat(50), (name, [one, other], limit, value) => {
      const entry = entryOf({ size: value, hits: value })
      expect(passes(`${name}${one}${limit}`, entry)).toBe(!passes(`${name}${other}${limit}`, entry))
    })
    fc.assert(property, cases(500))
  })

  test('by size compares the size that `ls` shows', () => {
    const property = fc.property(fc.nat(), fc.nat(), (size, limit) => {
      const entry = entryOf({ size })
      expect(passes(`size>${limit}B`, entry)).toBe(entrySize(entry) > limit)
    })
    fc.assert(property, cases(300))
  })
})
