import { mkdtemp, readdir, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { outputFile } from 'fs-extra/esm'
import { expect } from 'vitest'
import { ModelCache, type ModelSpec } from '../../src/cache/index.ts'
import { contentsOf } from './engine.ts'
import { type Exchange, FakeHub } from './fake-hub.ts'
import { cases, tolerated } from './fuzz.ts'
import fc from './property.ts'
import { removeFolder } from './remove-folder.ts'

// Values are tested at the same time, because the engine waits before it tries again.
const AT_ONCE = 12

export const HUB_FILES = {
  'config.json': '{"model_type":"bert"}',
  'onnx/model.onnx': 'weights '.repeat(50),
  'tokenizer.json': '{"a":1}',
  'tokenizer_config.json': '{}',
}

export interface HostileResponses<T> {
  arbitrary: fc.Arbitrary<T>
  /** The response for a value; undefined for the right response. */
  answer: (exchange: Exchange, value: T) => Response | undefined
  /** The model to get; default is the whole repo. */
  model?: (repo: string, value: T) => ModelSpec
  /** True if the model must be served in the end. */
  mustArrive?: boolean
}

/** Tests each value with a repo of its own, in a cache that also holds a model of unchanged responses. */
export async function checkResponses<T>(count: number, responses: HostileResponses<T>): Promise<void> {
  const batches = fc.asyncProperty(
    fc.array(responses.arbitrary, { minLength: 1, maxLength: AT_ONCE, size: 'max' }),
    (values) => checkAll(responses, values),
  )
  // On average, an array has half of its maximum length.
  await fc.assert(batches, cases(Math.ceil((2 * count) / AT_ONCE)))
}

async function checkAll<T>(responses: HostileResponses<T>, values: T[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'hostile hub '))
  try {
    for (const name of ['canary.txt', 'beside/canary.txt', 'refs/main'])
      await outputFile(join(folder, name), 'A canary')
    const before = await contentsBeside(folder)
    const valueFor = (repo: string) => values[Number(/^org\/m(\d+)$/.exec(repo)?.[1])]
    const hub = new FakeHub(HUB_FILES, (exchange) => {
      const value = valueFor(exchange.repo)
      return value === undefined ? undefined : responses.answer(exchange, value)
    })
    await expectKept(open(folder, hub))
    await Promise.all(values.map((value, index) => expectOne(responses, value, open(folder, hub), `org/m${index}`)))
    await expectKept(open(folder, hub, true))
    expect(await contentsBeside(folder)).toEqual(before)
    expect([...hub.tokensTo]).toEqual([hub.endpoint])
    expect(Reflect.get({}, 'polluted')).toBeUndefined()
  } finally {
    await removeFolder(folder)
  }
}

async function expectOne<T>(responses: HostileResponses<T>, value: T, cache: ModelCache, repo: string): Promise<void> {
  const model = responses.model?.(repo, value) ?? repo
  const served = responses.mustArrive ? await cache.get(model) : await tolerated(cache.get(model))
  await tolerated(cache.has(model))
  if (!served) return
  for (const [path, content] of Object.entries(await contentsOf(served)))
    if (Object.hasOwn(HUB_FILES, path)) expect(HUB_FILES).toMatchObject({ [path]: content })
}

async function expectKept(cache: ModelCache): Promise<void> {
  expect(await contentsOf(await cache.get('org/kept'))).toEqual(HUB_FILES)
}

function open(folder: string, { endpoint, fetch }: FakeHub, offline = false): ModelCache {
  return new ModelCache({
    cacheDir: join(folder, 'cache'),
    hub: { endpoint, concurrency: 8, token: 'hf_secret' },
    offline,
    maxSize: 2 ** 31,
    maxAge: 7 * 86_400_000,
    stallMs: 5_000,
    env: { HF_HOME: join(folder, 'no login') },
    fetch,
  })
}

async function contentsBeside(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const beside = paths.filter((path) => !path.startsWith(join(folder, 'cache/')))
  return Object.fromEntries(await Promise.all(beside.map(async (path) => [path, await readFile(path, 'utf8')])))
}
