import { join, posix, win32 } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { ModelCache } from '../../src/cache/index.ts'
import { Layout } from '../../src/cache/store/layout.ts'
import { parseHubPath } from '../../src/model/hub-path.ts'
import { modelLabel, parseModel } from '../../src/model/model.ts'
import { parseRepoId } from '../../src/model/repo-id.ts'
import { isCommit, parseRevision } from '../../src/model/revision.ts'
import { selectionKey } from '../../src/model/selection.ts'
import { retryAfterMs } from '../../src/net/retry-after.ts'
import { DamagedCache } from '../support/damaged-cache.ts'
import { cases, FUZZ_TIMEOUT, hostileJson, hostileText, tolerated, toleratedNow } from '../support/fuzz.ts'
import fc from '../support/property.ts'

const FOLDER = '/cache/folder'

/** True when the name stays inside a folder that it is joined to, by the rules of every system. */
function staysInside(name: string): boolean {
  const rest = posix.relative(FOLDER, posix.resolve(FOLDER, name))
  const windows = win32.relative('C:\\cache', win32.resolve('C:\\cache', name))
  return isBelow(rest) && isBelow(windows) && !win32.isAbsolute(windows) && !posix.isAbsolute(rest)
}

function isBelow(path: string): boolean {
  return path !== '' && path !== '..' && !/^\.\.[/\\]/.test(path)
}

describe('an accepted name stays in its folder', () => {
  test.each<[string, (text: string) => string]>([
    ['a repo id', (text) => `models--${parseRepoId(text).replaceAll('/', '--')}`],
    ['a revision', (text) => parseRevision(text, 'a test')],
    ['a path', (text) => parseHubPath(text, 'a test')],
  ])('%s', (_, parse) => {
    const property = fc.property(fc.oneof(hostileText, nearNames), (text) => {
      const name = toleratedNow(() => parse(text))
      if (name !== undefined) expect(staysInside(name)).toBe(true)
    })
    fc.assert(property, cases(1200))
  })
})

/** Texts that are often accepted as names. */
const nearNames = fc
  .array(fc.constantFrom('a', 'B', '1', '_', '-', '.', '/', '--', '..', 'models', 'refs/', '.git', '@', ':'), {
    minLength: 1,
    maxLength: 7,
  })
  .map((parts) => parts.join(''))

test('no two repos share a folder or a lock', () => {
  const layout = new Layout(FOLDER)
  const property = fc.property(nearNames, nearNames, (a, b) => {
    const [one, other] = [a, b].map((text) => toleratedNow(() => parseRepoId(text)))
    if (one === undefined || other === undefined || one === other) return
    expect(layout.repo(one)).not.toBe(layout.repo(other))
    expect(layout.lock(one)).not.toBe(layout.lock(other))
  })
  fc.assert(property, cases(2000))
})

const anything = fc.anything({ withBigInt: true, withNullPrototype: true, withObjectString: true, maxDepth: 2 })
const field = fc.oneof(hostileText, nearNames, hostileJson, fc.array(hostileText, { maxLength: 3 }))
const spec: fc.Arbitrary<unknown> = fc.oneof(
  anything,
  nearNames.map((name) => `${name}@main`),
  fc.record(
    {
      repo: fc.oneof(nearNames, fc.constant('org/kept'), anything),
      ...{ revision: field, files: field, task: field, subfolder: field, modelFileName: field },
      ...{ dtype: fc.oneof(field, fc.constantFrom('q8', { model: 'q8' }, { ['__proto__']: 'q8' })), pin: field },
    },
    { requiredKeys: ['repo'] },
  ),
)

test('any value is refused as a model, or has one meaning', () => {
  const property = fc.property(spec, (value) => {
    const model = toleratedNow(() => parseModel(value))
    if (!model) return
    expect(parseModel(modelLabel(model))).toMatchObject({ repo: model.repo, revision: model.revision })
    expect(selectionKey(model.selection)).toBe(selectionKey(structuredClone(model.selection)))
    expect(isCommit(model.revision) || staysInside(model.revision)).toBe(true)
  })
  fc.assert(property, cases(1500))
})

test(
  'any value is refused as a selection, or selects files of the model',
  async () => {
    const damaged = await DamagedCache.start(onTestFinished)
    const cache = damaged.engine.open({ offline: true })
    const fields = fc.record(
      { files: field, task: field, dtype: field, subfolder: field, modelFileName: field },
      { requiredKeys: [] },
    )
    await damaged.check(400, [fields], async (selection) => {
      const model = await tolerated(getUnchecked(cache, { repo: 'org/kept', ...selection }))
      for (const path of model?.files.keys() ?? [])
        expect(model?.file(path).startsWith(join(damaged.engine.cacheDir, 'hub'))).toBe(true)
    })
    await damaged.check(150, [spec], async (value) => void (await tolerated(getUnchecked(cache, value))))
    await damaged.heal()
  },
  FUZZ_TIMEOUT,
)

/** Calls `get` as untyped code can. */
function getUnchecked(cache: ModelCache, model: unknown): ReturnType<ModelCache['get']> {
  return Reflect.apply(cache.get, cache, [model])
}

test('the wait that a server asks for is a time or undefined, for any headers', () => {
  const text = fc
    .oneof(
      hostileText,
      fc.nat().map(String),
      fc.double().map(String),
      fc.date({ noInvalidDate: true }).map((date) => date.toUTCString()),
    )
    .map((text) => text.replaceAll(/[^\t\x20-\x7e\x80-\xff]/g, ''))
  const rate = fc.oneof(
    text,
    text.map((end) => `"api";r=0;t=${end}`),
  )
  const property = fc.property(fc.option(text), fc.option(rate), (retryAfter, ratelimit) => {
    const headers = new Headers()
    if (retryAfter !== null) headers.set('Retry-After', retryAfter)
    if (ratelimit !== null) headers.set('ratelimit', ratelimit)
    const ms = retryAfterMs(headers)
    if (ms !== undefined) expect(ms).toBeGreaterThanOrEqual(0)
  })
  fc.assert(property, cases(1500))
})
