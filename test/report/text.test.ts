import { stripVTControlCharacters } from 'node:util'
import { describe, expect, test } from 'vitest'
import { printable } from '../../src/model/printable.ts'
import type { Report } from '../../src/report/report.ts'
import { renderText, type TextOptions } from '../../src/report/text.ts'
import { labelOf } from '../../src/report/words.ts'
import fc from '../support/property.ts'
import { anyReport, MODEL, makeFailure, REPORT } from '../support/reports.ts'

const ESCAPE = '\u001b'

function render(report: Partial<Report> = {}, options: Partial<TextOptions> = {}): string[] {
  return renderText({ ...REPORT, ...report }, { color: false, columns: 120, target: 0.8, ...options })
}

describe('the report for people', () => {
  test('has the requests, the times and the savings', () => {
    expect(render()).toEqual([
      '',
      ' Model cache',
      '  4 requests: 3 hits, 1 miss · hit rate 75% (target 80%)',
      expect.stringMatching(
        /^ {2}org\/name {2}disk ×3 hub ×1 {2}90\.4 MiB {2}lookup 0\.4 ms · download 3\.94 s \(22\.9 MiB\/s\) · load 182 ms$/,
      ),
      '  saved 2 m 05 s and 1 GiB of download · warm-up 4.1 s',
      '  cache 1 GiB of 2 GiB in 3 models · /home/user/.cache/vitest-model-cache',
      '',
    ])
  })

  test('has maintenance, removed models and other revisions', () => {
    const lines = render({ models: [{ ...MODEL, revision: 'v1.0' }] }, { maintenanceMs: 12, removed: 1 }).join('\n')
    expect(lines).toContain('org/name@v1.0')
    expect(lines).toContain('maintenance 12 ms · removed 1 model')
  })

  test('has the plugin overhead', () => {
    const workers = { count: 2, total: 12.4, p50: 6.2, p95: 8, max: 8 }
    const lines = (ownMs: Report['ownMs']) => render({ ownMs }, { maintenanceMs: 12 }).join('\n')
    expect(lines({ main: 41, workers, children: null })).toContain(
      'maintenance 12 ms · plugin overhead 41 ms, 6.2 ms a worker',
    )
    const children = { count: 18, total: 7_400, p50: 400, p95: 500, max: 500 }
    expect(lines({ main: 41, workers, children })).toContain('6.2 ms a worker, 7.4 s in 18 children')
    expect(lines({ main: 41, workers: null, children: null })).toMatch(/plugin overhead 41 ms$/m)
    expect(lines({ main: null, workers, children: null })).not.toContain('plugin overhead')
  })

  test('says that the threads of sessions are shared', () => {
    expect(render({ threads: 'shared' }).join('\n')).toContain('threads shared')
    for (const threads of ['as-is', null] as const) expect(render({ threads }).join('\n')).not.toContain('threads')
  })

  test('names the models whose prediction cost something', () => {
    const came = { ...MODEL, downloadedBytes: 9 }
    const models = [came, { ...came, repo: 'org/b' }, { ...came, repo: 'org/cached', downloadedBytes: 0 }]
    const prediction = { used: [], unused: ['org/b', 'org/cached'], unpredicted: [labelOf(came)] }
    const line = `  → not predicted: ${labelOf(came)} · predicted and downloaded, but not used: org/b`
    expect(render({ models, prediction })).toContain(line)
    const rest = { used: [labelOf(came), 'org/b'], unused: ['org/cached'], unpredicted: [] }
    for (const each of [null, rest]) expect(render({ models, prediction: each }).join('\n')).not.toContain('predicted')
  })

  test('aligns the models', () => {
    const models = [MODEL, { ...MODEL, repo: 'org/a-longer-name', tiers: { memory: 12 }, bytes: 5 }]
    const [first = '', second = ''] = render({ models }).slice(3, 5)
    expect(first.indexOf('disk')).toBe(second.indexOf('memory'))
    expect(first.indexOf('lookup')).toBe(second.indexOf('lookup'))
  })

  test('is empty without requests', () => {
    const nothing = { requests: 0, hits: 0, misses: 0, hitRate: null, models: [], errors: [] }
    expect(render(nothing)).toEqual([])
    expect(render(nothing, { maintenanceMs: 5, removed: 2 })).toEqual([])
  })

  test('is shown when all requests failed', () => {
    const errors = [makeFailure()]
    const lines = render({ requests: 0, hits: 0, misses: 0, hitRate: null, models: [], errors })
    expect(lines).toContain('  no request was served')
    expect(lines).toContain('  ✗ It is not in the cache.')
  })

  test('lists failures, and only names those that a test shows in full', () => {
    const message = 'Model org/name: It is not in the cache. Warm it. [OFFLINE]'
    const errors = [
      makeFailure({ message, testFiles: ['a.test.ts'] }),
      makeFailure({ message: 'again, in other words', requests: 2, testFiles: ['b.test.ts', 'a.test.ts'] }),
      makeFailure({ model: 'org/other', message: 'untold', code: 'GATED', testFiles: ['a', 'b', 'c', 'd', 'e'] }),
      makeFailure({ model: 'org/warmed', message: 'warm', requests: 0 }),
    ]
    const isTold = ({ model }: { model: string }) => model === 'org/name'
    const failed = { requests: 10, hits: 4, misses: 0, failed: 6, hitRate: 0.4, models: [] }
    const lines = render({ ...failed, errors }, { isTold }).filter((line) => /✗|hit rate/.test(line))
    expect(lines).toEqual([
      '  10 requests: 4 hits, 0 misses, 6 failed · hit rate 40% (target 80%)',
      '  ✗ untold (a, b, c, 2 more)',
      '  ✗ warm (warm-up; no test asked for it)',
      '  ✗ 3 requests for org/name failed in a.test.ts, b.test.ts [OFFLINE]',
    ])
    expect(
      render({ ...failed, errors })
        .join('\n')
        .replace(/\s+/g, ' '),
    ).toContain(`✗ ${message} (a.test.ts)`)
  })

  test('of a first run has no target and no warning colour; expected failures are only counted', () => {
    const first = { requests: 1, hits: 0, misses: 1, hitRate: 0, isFirstRun: true, expectedErrors: 1 }
    const lines = render(first, { color: true })
    expect(lines[2]).toContain('1 request: 0 hits, 1 miss · hit rate 0% (first run)')
    expect(lines.join('')).not.toContain(`${ESCAPE}[33m`)
    expect(lines.join('')).toContain('1 failed request was expected by its test')
    expect(render({ ...first, hits: 1, misses: 0, hitRate: 1 })[2]).toContain('hit rate 100% (target 80%)')
  })

  test('leaves out what is unknown', () => {
    const bare = { ...MODEL, lookupMs: null, restoreMs: null, downloadMs: null, loadMs: null }
    const lines = render({ models: [bare], warmUpMs: null, savedMs: null, savedBytes: 0, cache: null })
    expect(lines).toEqual([
      '',
      ' Model cache',
      '  4 requests: 3 hits, 1 miss · hit rate 75% (target 80%)',
      '  org/name  disk ×3 hub ×1  90.4 MiB',
      '',
    ])
  })

  test.each([
    [0, '0%'],
    [0.004, '0%'],
    [0.006, '1%'],
    [0.29, '29%'],
    [0.57, '57%'],
    [2 / 3, '67%'],
    [0.994, '99%'],
    [0.996, '99%'],
    [1 - 1e-12, '99%'],
    [1, '100%'],
  ])('rounds a rate of %d to %s: only a rate of 1 is 100%%', (hitRate, text) => {
    expect(render({ hitRate }, { target: 1 })[2]).toContain(`hit rate ${text} (target 100%)`)
  })

  test('has the number and the time of the loads if there were several', () => {
    const lines = render({ models: [MODEL, { ...MODEL, loads: 10, loadMsTotal: 1_820 }] })
    expect(lines[3]).toMatch(/load 182 ms$/)
    expect(lines[4]).toMatch(/load 182 ms \(10 times, 1.82 s\)$/)
  })

  test('has the rate of a download, and none for a model that was already cached', () => {
    const [some, none] = [{ downloadedBytes: 2 ** 20 }, { downloadedBytes: 0, downloadMs: null }]
    const lines = render({ models: [some, none].map((parts) => ({ ...MODEL, downloadMs: 500, ...parts })) })
    expect(lines[3]).toContain('download 500 ms (2 MiB/s)')
    expect(lines[4]).not.toContain('/s')
    expect(render({ models: [{ ...MODEL, downloadMs: 0 }] })[3]).toContain('download 0 ms · load')
  })
})

describe.each([40, 60, 80, 120])('in %d columns', (columns) => {
  const directory = '/home/a user/projects/with a long name/node_modules/.cache/vitest-model-cache/models'
  const repo = 'organisation/a-model-with-a-rather-long-name-that-goes-on-ONNX-quantized'
  const url = `https://hub.example/${'path/'.repeat(30)}end`
  const testFile = 'test/a folder with a long name/of several parts/embeddings-of-sentences.test.ts'
  const lines = render(
    {
      models: [{ ...MODEL, repo }],
      cache: { directory, size: 2 ** 30, maxSize: 2 * 2 ** 30, entries: 3 },
      ownMs: { main: 41, workers: null, children: { count: 18, total: 7_400, p50: 400, p95: 500, max: 500 } },
      errors: [
        makeFailure({ message: `Cache folder ${directory}: The Hub at ${url} gave no answer.`, testFiles: [testFile] }),
      ],
    },
    { columns },
  )

  test('paths, names and URLs are whole, and all other lines fit', () => {
    for (const whole of [directory, repo, url, testFile])
      expect(lines.filter((line) => line.includes(whole)).length, `${whole} in\n${lines.join('\n')}`).toBeGreaterThan(0)
    const others = lines.filter((line) => ![directory, repo, url, testFile].some((whole) => line.includes(whole)))
    for (const line of others) expect(line.length, line).toBeLessThanOrEqual(columns)
    expect(lines.join('')).not.toContain('…')
  })
})

describe('on a narrow screen', () => {
  test('the figures of a model stand below its name, and nothing is shortened', () => {
    const models = [{ ...MODEL, repo: 'organisation/a-model-with-a-rather-long-name' }]
    expect(render({ models }, { columns: 80 }).slice(3, 6)).toEqual([
      '  organisation/a-model-with-a-rather-long-name',
      '      disk ×3 hub ×1 · 90.4 MiB · lookup 0.4 ms · download 3.94 s (22.9 MiB/s)',
      '      load 182 ms',
    ])
  })

  test("no line begins with a command of GitHub's log, for any text of an error", () => {
    const message = `${'x'.repeat(70)} ::error::gone ${'y'.repeat(70)} ##[group]gone`
    const lines = render({ errors: [makeFailure({ code: 'HUB_ERROR', message })] }, { columns: 80 })
    expect(lines.filter((line) => line.includes('gone'))).toHaveLength(2)
    expect(lines.filter((line) => /^\s*(::|##\[)/.test(line))).toEqual([])
  })
})

describe('any report', () => {
  test('only one word or one path makes a line longer than the screen or 120 columns', () => {
    fc.assert(
      fc.property(anyReport, fc.integer({ min: 40, max: 300 }), fc.boolean(), (report, columns, color) => {
        const lines = renderText(report, { color, columns, target: 0.8, maintenanceMs: 5, removed: 3 })
        const paths = [report.cache?.directory ?? [], ...report.errors.map(({ testFiles }) => testFiles)].flat()
        const withoutPaths = (line: string) =>
          paths.map(printable).reduce((rest, path) => rest.replaceAll(path, ''), line)
        const long = lines.map(stripVTControlCharacters).filter((line) => line.length > Math.min(columns, 120))
        for (const line of long)
          expect(
            withoutPaths(line)
              .trim()
              .replace(/^[✗⚠] /, ''),
          ).not.toContain(' ')
      }),
    )
  })

  test('each element is one line', () => {
    fc.assert(
      fc.property(anyReport, (report) => {
        for (const line of renderText(report, { color: false, columns: 120, target: 0.8 }))
          expect(line).not.toMatch(/\n/)
      }),
    )
  })

  test('has each word of an error whole and in the same order', () => {
    const word = fc.oneof(fc.stringMatching(/^[\w./-]{1,30}$/), fc.constant('a/long/path'.repeat(15)))
    fc.assert(
      fc.property(
        fc.array(word, { minLength: 1, maxLength: 30 }),
        fc.integer({ min: 20, max: 120 }),
        (words, columns) => {
          const errors = [makeFailure({ message: words.join(' ') })]
          const nothing = { requests: 0, hitRate: null, models: [], cache: null, savedMs: null }
          const lines = render({ ...nothing, errors }, { columns })
          const shown = lines.slice(lines.findIndex((line) => line.startsWith('  ✗ ')))
          expect(shown.flatMap((line) => line.split(' ')).filter((word) => word !== '')).toEqual(['✗', ...words])
        },
      ),
    )
  })

  test('has the same text with and without colours', () => {
    fc.assert(
      fc.property(anyReport, (report) => {
        const options = { columns: 120, target: 0.8 }
        const plain = renderText(report, { ...options, color: false })
        const colored = renderText(report, { ...options, color: true })
        expect(plain.join('')).not.toContain(ESCAPE)
        expect(colored.map(stripVTControlCharacters)).toEqual(plain)
        if (plain.length > 0) expect(colored.join('')).toContain(ESCAPE)
      }),
    )
  })
})
