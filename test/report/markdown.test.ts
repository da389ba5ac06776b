import { marked } from 'marked'
import { describe, expect, test } from 'vitest'
import { annotation } from '../../src/report/github.ts'
import { escapeMarkdown, renderMarkdown } from '../../src/report/markdown.ts'
import { warningsOf } from '../../src/report/warnings.ts'
import fc from '../support/property.ts'
import { anyReport, anyText, MODEL, makeFailure, REPORT } from '../support/reports.ts'

const HOSTILE = [
  '<script>alert(1)</script>',
  'a | b | c',
  'a\\|b',
  '**bold** _it_ `code` ~~gone~~',
  '[click](https://evil.example)',
  '![](https://evil.example/pixel.png)',
  'https://evil.example www.evil.example',
  '# no head',
  'two\nlines\n\n- of a list',
  '@somebody #1 :tada: $x$',
  '\u001b[31mred\u202etxt.exe',
]

/** The text that a reader sees of HTML. */
function textOf(html: string): string {
  const entities: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" }
  return html.replace(/<[^>]*>/g, '').replace(/&(\w+|#39);/g, (all, name) => entities[name] ?? all)
}

describe('the summary in Markdown', () => {
  test('has the hit rate, a row for each model, the savings and the size of the cache', () => {
    expect(renderMarkdown(REPORT, { target: 0.8 })).toBe(`### Model cache

**4 requests: 3 hits, 1 miss · hit rate 75% (target 80%)**

| Model | Served from | Size | Lookup | Download | Load |
| :-- | :-- | --: | --: | --: | --: |
| org/name | disk ×3 hub ×1 | 90.4 MiB | 0.4 ms | 3.94 s | 182 ms |

- saved 2 m 05 s and 1 GiB of download
- warm-up 4.1 s
- cache 1 GiB of 2 GiB in 3 models

- ⚠️ The hit rate of models is 75% (3 of 4), below the target of 80%.
`)
  })

  test.each(HOSTILE)('shows a name literally, not as markup: %j', (name) => {
    const html = marked.parseInline(escapeMarkdown(name), { async: false, gfm: true })
    expect(html).not.toMatch(/<[a-z]/i)
    const shown = name.replace(/\n+/g, ' ').replace('\u001b', '\\u001b').replace('\u202e', '\\u202e')
    expect(textOf(html)).toBe(shown)
  })

  test('has one cell for each value, for any values', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.constantFrom(...HOSTILE), anyText), { maxLength: 5 }), (names) => {
        const models = names.map((repo) => ({ ...MODEL, repo }))
        const html = marked.parse(renderMarkdown({ ...REPORT, models }, { target: 0.8 }), { async: false, gfm: true })
        expect(html.match(/<tr>/g)?.length ?? 0).toBe(names.length === 0 ? 0 : names.length + 1)
        expect(html.match(/<td/g)?.length ?? 0).toBe(names.length * 6)
      }),
    )
  })

  test('is far smaller than the megabyte that GitHub accepts', () => {
    const models = Array.from({ length: 5_000 }, (_, index) => ({ ...MODEL, repo: `org/${'n'.repeat(80)}${index}` }))
    const errors = models.map(({ repo }) => makeFailure({ model: repo, message: 'x'.repeat(5_000) }))
    const text = renderMarkdown({ ...REPORT, models, errors }, { target: 0.8 })
    expect(text.length).toBeLessThan(100_000)
    expect(text).toContain('… and 4950 more models')
    expect(text).toContain('… and 4980 more errors')
  })
})

describe('a warning for GitHub', () => {
  test('is one line, and its text can neither end it nor begin another command', () => {
    expect(annotation('100%\n::error::gone\r')).toBe('::warning title=Model cache::100%25%0A\\::error::gone\\u000d')
    fc.assert(fc.property(anyText, (text) => !/[\r\n]/.test(annotation(text))))
  })

  test('is made for a rate below the target, a cache above its limit and repaired files, and for nothing else', () => {
    const full = { directory: '/cache', size: 3 * 2 ** 30, maxSize: 2 * 2 ** 30, entries: 3 }
    const models = [{ ...MODEL, repaired: ['a', 'b'] }]
    expect(warningsOf({ ...REPORT, cache: full, models }, 0.8)).toEqual([
      'The hit rate of models is 75% (3 of 4), below the target of 80%.',
      'The model cache uses 3 GiB, more than its limit of 2 GiB.',
      'Cached files had changed and were repaired: org/name (2 files).',
    ])
    expect(warningsOf(REPORT, 0.75)).toEqual([])
    expect(warningsOf({ ...REPORT, requests: 0, hitRate: null }, 1)).toEqual([])
    // A first run has no hits, and a failure is shown by its test.
    expect(warningsOf({ ...REPORT, isFirstRun: true }, 1)).toEqual([])
    expect(warningsOf({ ...REPORT, misses: 0, failed: 1 }, 1)).toEqual([])
    fc.assert(fc.property(anyReport, (report) => warningsOf(report, 0).every((text) => !text.includes('NaN'))))
  })
})
