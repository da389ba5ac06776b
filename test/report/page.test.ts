import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import axe from 'axe-core'
import { type Browser, chromium, type Page } from 'playwright'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { renderPage } from '../../src/report/html/page.ts'
import { makeStatistics } from '../../src/report/statistics.ts'
import { CHROMIUM } from '../support/chromium.ts'
import { MODEL, makeFailure, REPORT } from '../support/reports.ts'
import { DAY_MS, makeCache, makeEntry, makeRun, makeSpan } from '../support/runs.ts'

const EVIL = `</script></style></svg>"'><img src=x onerror="document.title='evil'"><script>document.title='evil'</script>&lt;`
const LONG = `org/${'a-very-long-name-'.repeat(5)}end`
const NOW = Date.parse('2026-01-20T10:30:00.000Z')

async function pageOf(names: string[], testFile = 'test/a.test.ts'): Promise<string> {
  const models = names.map((repo) => ({ ...MODEL, repo, testFiles: [testFile] }))
  const report = {
    ...REPORT,
    models,
    errors: [makeFailure({ message: `It is not there: ${testFile}`, testFiles: [testFile] })],
  }
  const timeline = names.flatMap((model, index) => [makeSpan({ model, testFile, at: NOW + index * 100 })])
  const runs = [3, 2, 1, 0].map((day) => makeRun(day, { report, timeline, project: `/projects/${testFile}` }))
  const entries = names.map((model, index) =>
    makeEntry({ model, bytes: (index + 1) * 50_000_000, lastUsedAt: new Date(NOW - index * DAY_MS).toISOString() }),
  )
  const statistics = makeStatistics(runs, makeCache(entries, { directory: `/cache ${testFile}` }), NOW)
  return renderPage(statistics, makeRun(3, { report, timeline }), 0.8)
}

test('needs nothing from elsewhere, and allows nothing that does not stand in it', async () => {
  const page = await pageOf(['org/name'])
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

test('is there too for a cache without models, and for runs that asked for none', async () => {
  const report = { ...REPORT, requests: 0, hitRate: null, savedMs: null, models: [] }
  const run = makeRun(0, { report })
  const page = await renderPage(makeStatistics([run], makeCache([]), NOW), run, 0.8)
  expect(page).toContain('The cache is empty.')
  expect(page).not.toMatch(/NaN|Infinity|undefined/)
})

test('escapes whatever names hold', async () => {
  const page = await pageOf([EVIL, '\u0000\u001b[31m\ud800'], EVIL)
  expect(page).not.toContain('<img')
  expect(page.match(/<script/g)).toHaveLength(1)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be there
  expect(page).not.toMatch(/[\u0000\u001b]/)
})

describe.skipIf(!CHROMIUM)('in Chromium', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] })
  })
  afterAll(() => browser?.close())

  async function open(content: string, options: Parameters<Browser['newContext']>[0] = {}) {
    const directory = await mkdtemp(join(tmpdir(), 'report page '))
    const file = join(directory, 'report.html')
    await writeFile(file, content)
    // axe is put into the page, which its policy would not allow.
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })
    const page = await context.newPage()
    const troubles: string[] = []
    page.on('console', (message) => void troubles.push(message.text()))
    page.on('pageerror', (error) => void troubles.push(String(error)))
    onTestFinished(async () => {
      await context.close()
      await rm(directory, { recursive: true, force: true })
    })
    await page.goto(pathToFileURL(file).href)
    return { page, troubles }
  }
  const models = (page: Page) => page.locator('#models tbody tr:visible th').allTextContents()

  test('hostile names are read as they stand, and run nothing', async () => {
    const { page, troubles } = await open(await pageOf([EVIL], EVIL))
    expect(await models(page)).toEqual([EVIL])
    expect(await page.title()).toMatch(/^Model cache: run of/)
    expect(troubles).toEqual([])
  })

  test('is no wider than the screen, large or small', async () => {
    const { page } = await open(await pageOf(['org/name', LONG], `test/${LONG}.test.ts`))
    for (const summary of await page.locator('summary').all()) await summary.click()
    for (const width of [1280, 400]) {
      await page.setViewportSize({ width, height: 900 })
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width)
      expect(await page.locator('svg:visible').count()).toBe(5)
    }
  })

  test('with a thousand models what follows the table is near, and a full cache is said to be', async () => {
    const { page } = await open(await pageOf(Array.from({ length: 1000 }, (_, index) => `org/model-${index}`)))
    expect(await page.locator('#models tbody tr').count()).toBe(1000)
    for (const width of [1280, 400]) {
      await page.setViewportSize({ width, height: 900 })
      const { height = 0 } = (await page.getByRole('region', { name: /^Models in the cache/ }).boundingBox()) ?? {}
      expect(height).toBeLessThan(900)
    }
    expect(await page.getByLabel(/over the limit/).count()).toBe(1)
  })

  test('the table is sorted and filtered by keyboard, and says so', async () => {
    const { page, troubles } = await open(await pageOf(['org/b', 'org/c', 'org/a']))
    expect(await models(page)).toEqual(['org/a', 'org/b', 'org/c'])
    const head = page.locator('#models thead th', { hasText: 'Size' })
    await head.getByRole('button').focus()
    await page.keyboard.press('Enter')
    expect(await head.getAttribute('aria-sort')).toBe('descending')
    expect(await models(page)).toEqual(['org/a', 'org/c', 'org/b'])
    await page.keyboard.press('Space')
    expect(await head.getAttribute('aria-sort')).toBe('ascending')
    expect(await models(page)).toEqual(['org/b', 'org/c', 'org/a'])
    await page.getByLabel('Filter').fill('ORG/C')
    expect(await models(page)).toEqual(['org/c'])
    expect(await page.getByRole('status').textContent()).toBe('1 of 3 shown')
    expect(troubles).toEqual([])
  })

  test('has no fault that axe finds, in light and in dark colours', async () => {
    const { page } = await open(await pageOf(['org/name', LONG]), { bypassCSP: true })
    for (const summary of await page.locator('summary').all()) await summary.click()
    await page.addScriptTag({ content: axe.source })
    for (const [colorScheme, options] of [
      ['light', {}],
      ['dark', { runOnly: ['color-contrast'] }],
    ] as const) {
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
