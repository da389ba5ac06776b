import { createHash } from 'node:crypto'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import axe from 'axe-core'
import { type Browser, chromium, type Page } from 'playwright'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { renderPage } from '../../src/report/html/page.ts'
import { dateLabels, durationTicks } from '../../src/report/html/ticks.ts'
import { makeStatistics } from '../../src/report/statistics.ts'
import { CHROMIUM } from '../support/chromium.ts'
import fc from '../support/property.ts'
import { removeFolder } from '../support/remove-folder.ts'
import { MODEL, makeFailure, REPORT } from '../support/reports.ts'
import { DAY_MS, makeCache, makeEntry, makeRun, makeSpan } from '../support/runs.ts'

const EVIL = `</script></style></svg>"'><img src=x onerror="document.title='evil'"><script>document.title='evil'</script>&lt;`
const LONG = `org/${'a-very-long-name-'.repeat(5)}end`
const NOW = Date.parse('2026-01-20T10:30:00.000Z')

interface Content {
  names?: string[]
  testFile?: string
  /** Milliseconds between two runs, and between two requests. */
  between?: number
  /** Milliseconds of a load. */
  loadMs?: number
  bytes?: number
}

/** A page with one request, one cached model and one failure for each name. */
async function pageOf({
  names = ['org/name'],
  testFile = 'test/a.test.ts',
  ...content
}: Content = {}): Promise<string> {
  const { between = DAY_MS, loadMs = 300, bytes = 50_000_000 } = content
  const loads = { loads: 4, loadMs, loadMsTotal: 4 * loadMs }
  const models = names.map((repo) => ({ ...MODEL, ...loads, repo, testFiles: [testFile] }))
  const errors = [makeFailure({ message: `Run \`hf auth login\`\nfor ${testFile}`, testFiles: [testFile] })]
  const report = { ...REPORT, models, errors, savedMs: loadMs }
  const steps = { lookup: loadMs / 4, restore: 0, download: 0, load: loadMs }
  const timeline = names.map((model, index) =>
    makeSpan({ model, testFile, steps, at: NOW + (index * between) / DAY_MS }),
  )
  const runs = [3, 2, 1, 0].map((number) =>
    makeRun(number, {
      ...{ report, timeline, project: `/projects/${testFile}` },
      startedAt: new Date(NOW - (3 - number) * between).toISOString(),
    }),
  )
  const entries = names.map((model, index) =>
    makeEntry({ model, bytes: (index + 1) * bytes, lastUsedAt: new Date(NOW - index * between).toISOString() }),
  )
  const statistics = makeStatistics(runs, makeCache(entries, { directory: `/cache ${testFile}` }), NOW)
  return renderPage(statistics, makeRun(3, { report, timeline }), 0.8)
}

test('the page loads nothing, and its policy allows only its own style and script', async () => {
  const page = await pageOf()
  const policy = /Content-Security-Policy" content="([^"]*)"/.exec(page)?.[1]?.replaceAll('&#39;', "'")
  const hashOf = (tag: string) => {
    const content = new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`).exec(page)?.[1] ?? ''
    return `'sha256-${createHash('sha256').update(content).digest('base64')}'`
  }
  expect(policy).toBe(
    `default-src 'none'; style-src ${hashOf('style')}; script-src ${hashOf('script')}; base-uri 'none'; form-action 'none'`,
  )
  expect(page).not.toMatch(/\s(src|href|style|on\w+)=/i)
  expect(page.match(/<(script|style)/g)).toHaveLength(2)
})

test('where there is nothing to draw, a sentence says so', async () => {
  const report = { ...REPORT, requests: 0, hitRate: null, savedMs: null, savedBytes: 0, warmUpMs: null, models: [] }
  const [run, earlier] = [makeRun(1, { report }), makeRun(0, { report })]
  const first = await renderPage(makeStatistics([run], makeCache([]), NOW), run, 0.8)
  for (const sentence of [
    'no model was requested',
    'no earlier download was used again',
    'no model was loaded',
    'After the next run, two charts here compare hit rate and time saved.',
    'No model was downloaded or loaded in this run.',
    'The cache is empty.',
  ])
    expect(first).toContain(sentence)
  const second = await renderPage(makeStatistics([run, earlier], makeCache([]), NOW), run, 0.8)
  for (const sentence of ['None of these runs requested a model.', 'None of these runs could use an earlier download.'])
    expect(second).toContain(sentence)
  for (const page of [first, second]) {
    expect(page).not.toMatch(/<(svg|figure)[^>]*><\/\1>|NaN|Infinity|undefined/)
    expect(page).not.toContain('<svg')
  }
})

test('two commits of one model are told apart', async () => {
  const commits = ['1', '2'].map((digit) => digit.repeat(40))
  const cache = makeCache(commits.map((commit) => makeEntry({ commit, pinned: true })))
  const page = await renderPage(makeStatistics([makeRun()], cache, NOW), makeRun(), 0.8)
  for (const commit of ['1111111', '2222222']) expect(page.split(commit).length - 1).toBe(4)
})

test('names are escaped', async () => {
  const page = await pageOf({ names: [EVIL, '\u0000\u001b[31m\ud800'], testFile: EVIL })
  expect(page).not.toContain('<img')
  expect(page.match(/<script/g)).toHaveLength(1)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the page must hold none of these
  expect(page).not.toMatch(/[\u0000\u001b]/)
})

test('the labels of an axis are different, for every length and every distance of runs', () => {
  fc.assert(
    fc.property(fc.double({ min: 1, max: 1e10, noNaN: true }), (max) => {
      const ticks = durationTicks(max)
      expect(new Set(ticks.map(({ label }) => label)).size).toBe(ticks.length)
      expect(ticks.length).toBeGreaterThan(1)
      expect(ticks.length).toBeLessThanOrEqual(6)
      for (const { at } of ticks) expect(at).toBeLessThanOrEqual(max)
    }),
  )
  const date = fc.date({ noInvalidDate: true, min: new Date(0), max: new Date('2099-12-31') })
  fc.assert(
    fc.property(fc.array(date.map((date) => date.toISOString())), (dates) => {
      expect(new Set(dateLabels(dates)).size).toBe(dates.length)
    }),
  )
  expect(dateLabels(['2026-01-15T10:30:00.000Z', '2026-01-16T10:30:00.000Z'])).toEqual(['Jan 15', 'Jan 16'])
  expect(dateLabels(Array(2).fill('2026-01-15T10:30:01.000Z'))).toEqual(['10:30:01', '10:30:01 (2)'])
  expect(dateLabels(['2026-01-15T10:30:01.000Z', '2026-01-15T10:30:09.000Z'])).toEqual(['10:30:01', '10:30:09'])
})

describe.skipIf(!CHROMIUM)('in Chromium', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] })
  })
  afterAll(() => browser?.close())

  /** Opens the page with all that it can unfold. */
  async function open(content: string, options: Parameters<Browser['newContext']>[0] = {}) {
    const directory = await mkdtemp(join(tmpdir(), 'report page '))
    const file = join(directory, 'report.html')
    await writeFile(file, content)
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })
    const page = await context.newPage()
    const problems: string[] = []
    page.on('console', (message) => void problems.push(message.text()))
    page.on('pageerror', (error) => void problems.push(String(error)))
    onTestFinished(async () => {
      await context.close()
      await removeFolder(directory)
    })
    await page.goto(pathToFileURL(file).href)
    for (const summary of await page.locator('summary').all()) await summary.click()
    return { page, problems }
  }
  const models = (page: Page) => page.locator('#models tbody tr:visible th').allTextContents()

  test('a hostile name is shown as text and runs nothing', async () => {
    const { page, problems } = await open(await pageOf({ names: [EVIL], testFile: EVIL }))
    expect(await models(page)).toEqual([EVIL])
    expect(await page.title()).toMatch(/^Model cache: run of/)
    expect(problems).toEqual([])
  })

  test('neither the page nor a table is wider than a screen or a sheet, and paper is always light', async () => {
    const { page } = await open(await pageOf({ names: ['org/name', LONG], testFile: `test/${LONG}.test.ts` }), {
      colorScheme: 'dark',
    })
    for (const [width, media] of [
      [1280, 'screen'],
      [800, 'screen'],
      [400, 'screen'],
      [718, 'print'],
    ] as const) {
      await page.setViewportSize({ width, height: 900 })
      await page.emulateMedia({ media })
      const tooWide = await page.evaluate(() =>
        [document.documentElement, ...document.querySelectorAll('.scroll')]
          .filter(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth)
          .map(({ tagName, textContent }) => [tagName, textContent]),
      )
      expect(tooWide, `${media}, ${width} px`).toEqual([])
      expect(await page.locator('figure:visible').count()).toBe(5)
    }
    expect(await page.evaluate(() => getComputedStyle(document.body).backgroundColor)).toBe('rgb(255, 255, 255)')
  })

  test('each row has a mark and a figure with a unit, no axis repeats a label, and no backtick is left', async () => {
    const names = Array.from({ length: 5 }, (_, index) => `org/model-${index}`)
    // Runs of one minute, models of a few bytes, and loads that are too short to be seen.
    const short = { between: 1_500, loadMs: 0.02, bytes: 1 }
    for (const content of [short, { ...short, loadMs: 0 }, { between: 3_000 * DAY_MS, loadMs: 7_200_000 }]) {
      const { page } = await open(await pageOf({ names, ...content }))
      for (const width of [1280, 400]) {
        await page.setViewportSize({ width, height: 900 })
        const seen = await page.evaluate(() => ({
          axes: [...document.querySelectorAll('svg:has(text), svg g:has(> text)')]
            .map((group) => [...group.querySelectorAll(':scope > text')].map(({ textContent }) => textContent))
            .filter(({ length }) => length > 0),
          rows: [...document.querySelectorAll('.bars li')].map((row) => {
            const track = row.querySelector('svg')?.getBoundingClientRect()
            const marks = [...row.querySelectorAll('rect:not(.back)')].map((mark) => mark.getBoundingClientRect())
            return {
              value: row.querySelector('.value')?.textContent,
              hasMark: marks.some(({ width }) => width >= 2),
              isInside: marks.every(({ left, right }) => track && left >= track.left && right <= track.right + 1),
            }
          }),
        }))
        const text = await page.locator('main').textContent()
        expect(text).toContain('Run hf auth login for')
        expect(text).not.toContain('`')
        for (const labels of seen.axes) expect(new Set(labels).size, labels.join()).toBe(labels.length)
        expect(seen.rows).toHaveLength(3 * names.length)
        for (const row of seen.rows)
          expect(row).toEqual({
            value: expect.stringMatching(/^(< )?\d.*(B|s|m|h|d)( ago)?$/),
            hasMark: true,
            isInside: true,
          })
      }
    }
  })

  test('a table of hundreds of models scrolls inside itself, and the page tells that the cache is full', async () => {
    const { page } = await open(
      await pageOf({ names: Array.from({ length: 300 }, (_, index) => `org/model-${index}`) }),
    )
    expect(await page.locator('#models tbody tr').count()).toBe(300)
    for (const width of [1280, 400]) {
      await page.setViewportSize({ width, height: 900 })
      const { height = 0 } = (await page.getByRole('region', { name: /^Models in the cache/ }).boundingBox()) ?? {}
      expect(height).toBeLessThan(900)
    }
    expect(await page.getByLabel(/over the limit/).count()).toBe(1)
    expect(await page.getByText('The 40 longest of 300 recorded requests are shown.').count()).toBe(1)
  })

  test('the table is sorted and filtered by keyboard, and a screen reader is told', async () => {
    const { page, problems } = await open(await pageOf({ names: ['org/b', 'org/c', 'org/a'] }))
    // On a phone the table is drawn as blocks, and stays a table.
    for (const width of [1280, 400]) {
      await page.setViewportSize({ width, height: 900 })
      await page.reload()
      expect(await models(page)).toEqual(['org/a', 'org/b', 'org/c'])
      const table = page.getByRole('table', { name: /^Models in the cache/ })
      const heading = table.getByRole('columnheader', { name: 'Size' })
      await heading.getByRole('button').focus()
      await page.keyboard.press('Enter')
      expect(await heading.getAttribute('aria-sort')).toBe('descending')
      expect(await models(page)).toEqual(['org/a', 'org/c', 'org/b'])
      await page.keyboard.press('Space')
      expect(await heading.getAttribute('aria-sort')).toBe('ascending')
      expect(await models(page)).toEqual(['org/b', 'org/c', 'org/a'])
      await page.getByLabel('Filter').fill('ORG/C')
      expect(await models(page)).toEqual(['org/c'])
      expect(await page.getByRole('status').textContent()).toBe('1 of 3 shown')
    }
    expect(problems).toEqual([])
  })

  test('axe finds no fault, on a large screen and a phone, in light and dark colours', async () => {
    // The page's policy would refuse the script of axe.
    const { page } = await open(await pageOf({ names: ['org/name', LONG] }), { bypassCSP: true })
    await page.addScriptTag({ content: axe.source })
    for (const [width, colorScheme, options] of [
      [1280, 'light', {}],
      [400, 'light', {}],
      [1280, 'dark', { runOnly: ['color-contrast'] }],
    ] as const) {
      await page.setViewportSize({ width, height: 900 })
      await page.emulateMedia({ colorScheme })
      const violations = await page.evaluate(async (options) => {
        const { violations } = await Reflect.get(globalThis, 'axe').run(options)
        return violations.map(({ id, nodes }: { id: string; nodes: { html: string }[] }) => [
          id,
          nodes.map(({ html }) => html),
        ])
      }, options)
      expect(violations).toEqual([])
    }
  })
})
