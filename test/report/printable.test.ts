import { describe, expect, test } from 'vitest'
import { ModelCacheError, messageOf } from '../../src/model/errors.ts'
import { printable, printableJson, printableLines } from '../../src/model/printable.ts'
import { annotation } from '../../src/report/github.ts'
import { html } from '../../src/report/html/html.ts'
import { renderMarkdown } from '../../src/report/markdown.ts'
import { progressLines } from '../../src/report/progress-lines.ts'
import { makeStatistics } from '../../src/report/statistics.ts'
import { renderStatistics } from '../../src/report/statistics-text.ts'
import { renderText } from '../../src/report/text.ts'
import fc from '../support/property.ts'
import { MODEL, makeFailure, REPORT } from '../support/reports.ts'
import { makeCache, makeEntry, makeRun } from '../support/runs.ts'

// Commands that CI systems run when they are in a log, and characters that control a terminal.
const HOSTILE = [
  '\u001b[2J\u001b]0;title\u0007',
  '\u009b31mred',
  'a\0b',
  'a\rb',
  '\u202egpj.exe',
  '\u2066\u2069\u200e\u200f\u061c',
  'zero\u200bwidth\ufeff\u{e0041}',
  'line\u2028separator\u2029',
  'lone \ud800',
  '\udc00',
  'two\nlines\r\n::error::gone',
  '::set-output name=x::y',
  '  ::add-mask::e',
  '##[error]the build server was compromised',
  'x ##[add-mask]e',
  '##vso[task.setvariable variable=x]y',
  "##teamcity[message text='gone']",
]
const hostile = fc.oneof(
  fc
    .array(fc.constantFrom(...HOSTILE, 'name', ' ', '#', ':', '::', '\n'), { maxLength: 4 })
    .map((parts) => parts.join('')),
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)), maxLength: 12 }),
)

const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0]/u

/** Fails for a line with a CI command or a control character. */
function expectHarmless(text: string): void {
  for (const line of text.split('\n')) {
    expect(line).not.toMatch(UNPRINTABLE)
    expect(line).not.toMatch(/##[\w-]*\[|^\s*::/)
  }
}

describe('with any names and messages from outside', () => {
  test('no text of a report, a log or an error has control characters or CI commands', () => {
    const property = fc.property(hostile, hostile, hostile, fc.integer({ min: 20, max: 200 }), (a, b, c, columns) => {
      const models = [{ ...MODEL, repo: a, revision: b, repaired: [c], testFiles: [c], loads: 2, loadMsTotal: 5_000 }]
      const errors = [makeFailure({ model: a, code: b, message: `${b} ${c}`, testFiles: [c] })]
      const cache = { directory: c, size: 3, maxSize: 2, entries: 1 }
      const warm = { misses: 0, times: { ...REPORT.times, load: { count: 2, total: 5e3, p50: 1, p95: 1, max: 1 } } }
      const report = { ...REPORT, ...warm, models, errors, cache, errorCounts: { [b]: 1 }, evicted: [a] }
      expectHarmless(renderText(report, { color: false, columns, target: 1 }).join('\n'))
      expectHarmless(renderMarkdown(report, { target: 1 }))
      const runs = [makeRun(1, { report, project: a }), makeRun(0, { report, project: b })]
      const statistics = makeStatistics(runs, makeCache([makeEntry({ model: a })], { directory: c }), 0)
      expectHarmless(renderStatistics(statistics, { now: 0 }).join('\n'))
      expect(html`<p title="${a}">${b}${[c]}</p>`.text).not.toMatch(UNPRINTABLE)
      expect(annotation(`${a}${b}`)).toMatch(/^::warning title=Model cache::[^\n]*$/)
      expect(annotation(`${a}${b}`)).not.toMatch(UNPRINTABLE)
      const lines: string[] = []
      const show = progressLines((line) => lines.push(line))
      show({ model: a, receivedBytes: 1, totalBytes: 2, elapsedMs: 1 })
      expectHarmless(lines.join('\n'))
      const cause = Object.assign(new Error(b), { path: c })
      const error = new ModelCacheError({ code: 'HUB_ERROR', asked: a, reason: b, nextStep: c, cause })
      expectHarmless([error.message, error.asked, error.reason, error.nextStep, messageOf(error.cause)].join('\n'))
      expectHarmless(printableJson(report))
      expect(JSON.parse(printableJson(report))).toEqual(JSON.parse(JSON.stringify(report)))
    })
    fc.assert(property, { numRuns: 100 })
  })

  test('printable text stays unchanged, and escapes are unambiguous', () => {
    fc.assert(fc.property(hostile, (text) => printableLines(printableLines(text)) === printableLines(text)))
    for (const text of ['org/name@v1.0', 'Grüße 模型 🤗', '/a folder/#1 [x]', 'https://hub.example/a?b=c#d'])
      expect(printable(text)).toBe(text)
    expect(printable('a\u009b2J\u{e0041}\ud800b\0')).toBe('a\\u009b2J\\u{e0041}\\ud800b\\u0000')
    expect(printable('##[error]no')).toBe('##\\[error]no')
    expect(printableLines('one\r\n  ::error::two')).toBe('one\n \\::error::two')
  })
})
