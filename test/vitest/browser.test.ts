import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { ModelCacheOptions } from '../../src/config/options.ts'
import { CHROMIUM } from '../support/chromium.ts'
import { Consumer } from '../support/consumer.ts'
import { DOG, startModelsHub } from '../support/models-hub.ts'

const REPO = 'org/embeddings'
const TOKEN = 'hf_of_the_owner'
const { hub, env } = await startModelsHub([REPO], { token: TOKEN })
hub.addRepo('org/secret', { files: { 'config.json': '{}' }, private: true })
// The time covers the start of a browser and Vite's bundling of transformers.js.
const SLOW = 240_000

/** The browser can reach no host but this machine: a request for a CDN fails, and the test that needs it. */
function configSource(options: ModelCacheOptions, test = (browser: string) => browser): string {
  const browser =
    'browser: { provider: playwright({ launchOptions }), enabled: true, headless: true, screenshotFailures: false, instances }'
  return `
    import { playwright } from '@vitest/browser-playwright'
    import { defineConfig } from 'vitest/config'
    import { modelCache } from 'vitest-model-cache'
    const launchOptions = {
      executablePath: ${JSON.stringify(CHROMIUM)},
      args: ['--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost'],
    }
    const instances = [{ browser: 'chromium' }]
    export default defineConfig({
      plugins: [modelCache(${JSON.stringify({ report: { outputFile: 'report.json' }, ...options })})],
      test: {
        testTimeout: 60_000,
        ${test(browser)}
      },
    })
  `
}

// The source does not name this package, like a suite before the package is installed.
const PIPELINE = `
  import { expect, test } from 'vitest'
  import { pipeline } from '@huggingface/transformers'
  test('embeds', async () => {
    const loaded = new Map()
    const progress_callback = ({ status, file, loaded: bytes }) => status === 'progress' && loaded.set(file, bytes)
    const embed = await pipeline('feature-extraction', '${REPO}', { dtype: 'fp32', progress_callback })
    expect((await embed('A dog', { pooling: 'mean', normalize: true })).data[0]).toBeCloseTo(${DOG})
    expect(loaded.get('onnx/model.onnx')).toBeGreaterThan(900_000)
  })
  test('keeps no second copy in the browser, but what is no model', async () => {
    const cache = await caches.open('transformers-cache')
    await cache.put('/own', new Response('kept'))
    expect((await cache.keys()).map(({ url }) => new URL(url).pathname)).toEqual(['/own'])
  })
`

const WITHOUT_WASM_CACHE = `
  import { expect, test } from 'vitest'
  import { env, pipeline } from '@huggingface/transformers'
  env.useWasmCache = false
  test('has ONNX Runtime import its code from the CDN', async () => {
    const embed = await pipeline('feature-extraction', '${REPO}', { dtype: 'fp32' })
    expect((await embed('A dog', { pooling: 'mean', normalize: true })).data[0]).toBeCloseTo(${DOG})
  })
`

const FETCH = `
  import { expect, test } from 'vitest'
  const base = 'https://huggingface.co/${REPO}/resolve/main'
  test('fetch() in all its forms', async () => {
    const whole = await fetch(new URL(base + '/config.json'))
    expect([whole.url, whole.status, (await whole.json()).model_type]).toEqual([base + '/config.json', 200, 'bert'])
    const part = await fetch(new Request(base + '/config.json', { headers: { Range: 'bytes=0-0' } }))
    expect([part.status, await part.text()]).toEqual([206, '{'])
    const head = await fetch(base + '/onnx/model.onnx', { method: 'HEAD' })
    expect(Number(head.headers.get('Content-Length'))).toBeGreaterThan(900_000)
    expect((await fetch(base + '/no-such.json')).status).toBe(404)
  })
  test('what else is fetched goes where it went', async () => {
    expect((await fetch(location.href)).ok).toBe(true)
    await expect(fetch('https://huggingface.co/datasets/org/data/resolve/main/a.json')).rejects.toThrow('Failed to fetch')
    await expect(fetch('https://elsewhere.example/')).rejects.toThrow('Failed to fetch')
  })
  test('an aborted request ends', async () => {
    await expect(fetch(base + '/onnx/model.onnx', { signal: AbortSignal.abort() })).rejects.toThrow('abort')
  })
`

const MODELS = `
  import { expect, test } from 'vitest'
  import { models as imported } from 'vitest-model-cache/models'
  test('models says that it is of no use here', async ({ models }) => {
    await expect(models.pipeline('feature-extraction', '${REPO}')).rejects.toThrow('Call pipeline() of @huggingface/transformers')
    await expect(imported.path('${REPO}')).rejects.toThrow('models.path() in a browser')
    expect(() => models.provider('files')).toThrow('models.provider() in a browser')
  })
`

const REFUSED = `
  import { expect, test } from 'vitest'
  test('is not served: the configured endpoint answers, and not huggingface.co', async () => {
    const headers = { Authorization: 'Bearer hf_of_huggingface_co' }
    for (const address of ['/org/secret/resolve/main/config.json', '/api/models/org/secret'])
      expect((await fetch('https://huggingface.co' + address, { headers })).status).toBe(401)
  })
`

if (!CHROMIUM) console.log('Browser mode is not tested: there is no Chromium on PATH, and CHROMIUM_PATH names none.')

describe.skipIf(!CHROMIUM)('in a browser', () => {
  test('untouched code is served from the cache: one download, then none, and none from a CDN', {
    timeout: SLOW,
  }, async () => {
    const files = {
      'vitest.config.ts': configSource({ models: [REPO] }),
      ...{ 'a.test.ts': PIPELINE, 'b.test.ts': WITHOUT_WASM_CACHE, 'c.test.ts': FETCH, 'd.test.ts': MODELS },
    }
    const project = await Consumer.create({ files })
    const cold = await project.vitest([], env)
    expect(cold.exitCode, cold.output).toBe(0)
    expect(cold.report).toMatchObject({ requests: 3, misses: 1, errors: [] })
    const sent = hub.requests.filter(({ kind }) => kind === 'resolve').map(({ file }) => file)
    expect(sent).toContain('onnx/model.onnx')
    expect(sent.sort()).toEqual([...new Set(sent)].sort())

    hub.clearRequests()
    const warm = await project.vitest(['--reporter=default', '--reporter=blob', '--no-isolate'], env)
    expect(warm.exitCode, warm.output).toBe(0)
    expect(hub.requests).toEqual([])
    expect(warm.report).toMatchObject({ requests: 3, hits: 3, models: [{ repo: REPO, tiers: { disk: 3 } }] })
    expect(warm.output).not.toMatch(/Failed to pre-load|Unable to add/)

    const merged = await project.vitest(['--merge-reports'], env)
    expect(merged.report).toMatchObject({ requests: 3, hits: 3 })
  })

  test('a project in a browser shares warm-up, cache and report with one in Node.js', { timeout: SLOW }, async () => {
    const node = `import { test } from 'vitest'; test('x', async ({ models }) => { await models.path('${REPO}') })`
    const project = await Consumer.create({
      files: {
        'vitest.config.ts': configSource(
          { models: [REPO] },
          (browser) => `
          projects: [
            { extends: true, test: { name: 'node', include: ['node.test.ts'] } },
            { extends: true, test: { name: 'page', include: ['page.test.ts'], ${browser} } },
          ],
        `,
        ),
        ...{ 'node.test.ts': node, 'page.test.ts': PIPELINE },
      },
    })
    const { exitCode, output, report } = await project.vitest([], env)
    expect(exitCode, output).toBe(0)
    expect(report).toMatchObject({ requests: 2, misses: 1, errors: [] })
    expect(output.match(/Model cache/g)).toHaveLength(1)
    const sent = hub.requests.filter(({ kind }) => kind === 'cdn').map(({ path }) => path)
    expect(sent).toEqual([...new Set(sent)])
  })

  test('a private model that is not declared is refused, and the report says so', { timeout: SLOW }, async () => {
    const project = await Consumer.create({
      files: { 'vitest.config.ts': configSource({}), 'a.test.ts': REFUSED },
    })
    const { exitCode, output, report } = await project.vitest([], { ...env, HF_TOKEN: TOKEN })
    expect(exitCode, output).toBe(0)
    expect(report).toMatchObject({ requests: 1, failed: 1, errors: [{ model: 'org/secret', code: 'NOT_SET_UP' }] })
    expect(output.replaceAll(/\s+/g, ' ')).toContain("Declare it: modelCache({ models: ['org/secret'] })")
    const told = hub.requests.map(({ status, authorization }) => [status, authorization])
    expect(told).toEqual([
      [401, false],
      [401, false],
    ])
    expect(existsSync(join(project.cacheDir, 'hub'))).toBe(false)
  })
})
