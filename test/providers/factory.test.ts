import { mkdtemp, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { ModelCache } from '../../src/cache/model-cache.ts'
import type { Mode } from '../../src/config/options.ts'
import type { ProviderDefinition } from '../../src/providers/definition.ts'
import { ProviderFactory } from '../../src/providers/factory.ts'
import { Recorder } from '../../src/providers/recorder.ts'
import { type Hub, type Repository, startHub } from '../support/hub/index.ts'
import { removeFolder } from '../support/remove-folder.ts'

let hub: Hub
let repository: Repository
let cache: ModelCache
let recorder: Recorder

beforeEach(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'factory test '))
  hub = await startHub()
  repository = hub.addRepo('org/name', { files: { 'model.txt': 'first', 'other.txt': 'other' } })
  cache = new ModelCache({
    ...{ cacheDir: join(folder, 'cache'), hub: { endpoint: hub.url, concurrency: 2 }, offline: false },
    ...{ maxSize: 2 ** 30, maxAge: 86_400_000, env: {} },
  })
  recorder = new Recorder()
  onTestFinished(async () => {
    await hub.close()
    await removeFolder(folder)
  })
})

function factory(mode: Mode = 'integration'): ProviderFactory {
  const threads = { threads: 'shared', filesAtOnce: 1 } as const
  return new ProviderFactory({ openCache: async () => cache, mode, recorder, root: process.cwd(), threads })
}

interface Note {
  text: string
}

interface NoteOptions {
  file?: string
  revision?: string
  callback?: () => void
  nested?: object
}

/** A provider that reads one file of the repo, and notes the instances that it made and freed. */
function notes(parts: Partial<ProviderDefinition<Note, NoteOptions>> = {}) {
  const made: string[] = []
  const freed: string[] = []
  const definition: ProviderDefinition<Note, NoteOptions> = {
    name: 'notes',
    selection: ({ file = 'model.txt' }) => ({ files: [file] }),
    async load({ model, options }) {
      const text = await readFile(model.file(options.file ?? 'model.txt'), 'utf8')
      made.push(text)
      return { text }
    },
    mock: ({ model }) => ({ text: `mock of ${model}` }),
    dispose: ({ text }) => void freed.push(text),
    ...parts,
  }
  return { made, freed, definition }
}

/** An instance with a method that frees it. */
class Session {
  freed = 0
  release(times = 1): number {
    this.freed += times
    return this.freed
  }
}

class Pipeline extends Session {
  async dispose(): Promise<string> {
    this.freed++
    return 'disposed'
  }
}

function sessions<T extends Session>(make: () => T): ProviderDefinition<T> {
  return { name: 'sessions', load: make, dispose: (session) => void session.release() }
}

describe('a provider', () => {
  test('loads a model once when several calls with the same arguments come at the same time', async () => {
    const { definition, made } = notes()
    const provider = factory().create(definition)
    const all = await Promise.all(Array.from({ length: 5 }, () => provider.load('org/name')))
    expect(new Set(all).size).toBe(1)
    expect(await provider.load({ repo: 'org/name', revision: 'main' })).toBe(all[0])
    expect(made).toEqual(['first'])
    expect(recorder.drain().requests.map(({ tier }) => tier)).toEqual(['hub', ...Array(5).fill('memory')])
  })

  test('records the time of each request, and counts a load once for all calls that wait for it', async () => {
    let begunAt = 0
    const { definition } = notes({
      load: async () => {
        begunAt = Date.now()
        while (Date.now() === begunAt) await new Promise(setImmediate)
        return { text: 'slow' }
      },
    })
    const provider = factory().create(definition)
    await Promise.all([provider.load('org/name'), provider.load('org/name')])
    const { requests } = recorder.drain()
    const [loaded, waited] = requests
    expect(loaded?.loadMs).toBeGreaterThan(0)
    expect(loaded?.at).toBeLessThanOrEqual(begunAt)
    expect(waited).toMatchObject({ tier: 'memory', lookupMs: 0, loadMs: null })
  })

  test('has an instance for each model, selection and options; callbacks make no difference', async () => {
    const { definition, made } = notes()
    const provider = factory().create(definition)
    const plain = await provider.load('org/name')
    expect(await provider.load('org/name', { callback: () => undefined })).toBe(plain)
    expect(await provider.load('org/name', { nested: {}, file: undefined })).not.toBe(plain)
    expect((await provider.load('org/name', { file: 'other.txt' })).text).toBe('other')
    const ordered = await provider.load('org/name', { nested: { a: 1, b: [2n, { c: 3 }] } })
    expect(await provider.load('org/name', { nested: { b: [2n, { c: 3 }], a: 1 } })).toBe(ordered)
    expect(await provider.load('org/name', { nested: { a: 1, b: [{ c: 3 }, 2n] } })).not.toBe(ordered)
    expect(made).toHaveLength(5)
  })

  test('shares instances with providers of the same factory only', async () => {
    const { definition } = notes()
    const shared = factory()
    const [one, other] = [shared.create(definition), shared.create(definition)]
    expect(await one.load('org/name')).toBe(await other.load('org/name'))
    expect(await factory().create(definition).load('org/name')).not.toBe(await one.load('org/name'))
  })

  test('downloads files without loading them, and lists what is cached', async () => {
    const { definition, made } = notes()
    const provider = factory().create(definition)
    expect([await provider.isDownloaded('org/name'), await provider.list()]).toEqual([false, []])
    const seen: number[] = []
    await provider.download('org/name', { onProgress: ({ receivedBytes }) => seen.push(receivedBytes) })
    expect(seen.at(-1)).toBe(5)
    expect([await provider.isDownloaded('org/name'), await provider.list()]).toEqual([true, ['org/name']])
    expect(await provider.isDownloaded('org/name', { file: 'other.txt' })).toBe(false)
    expect([provider.isLoaded('org/name'), made]).toEqual([false, []])
    await provider.load('org/name')
    expect(provider.isLoaded('org/name')).toBe(true)
    await provider.remove('org/name')
    expect([await provider.isDownloaded('org/name'), await provider.list()]).toEqual([false, []])
  })

  test('the selection of the model replaces the selection of the provider', async () => {
    const { definition } = notes()
    const provider = factory().create(definition)
    await provider.load({ repo: 'org/name', files: ['*.txt'] })
    expect(await cache.has({ repo: 'org/name', files: ['*.txt'] })).toBe(true)
    expect(await cache.has({ repo: 'org/name', files: ['model.txt'] })).toBe(true)
    expect(hub.requests.map(({ file }) => file).filter(Boolean)).toContain('other.txt')
  })
})

describe('the revision among the options', () => {
  test('is used when the model has none', async () => {
    repository.tag('v1')
    repository.addCommit({ files: { 'model.txt': 'second' } })
    const provider = factory().create(notes().definition)
    expect((await provider.load('org/name')).text).toBe('second')
    expect((await provider.load('org/name', { revision: 'v1' })).text).toBe('first')
    expect(await provider.isDownloaded('org/name@v1')).toBe(true)
    expect(provider.isLoaded('org/name', { revision: 'v1' })).toBe(true)
    expect((await provider.list()).sort()).toEqual(['org/name', 'org/name@v1'])
  })

  test('is ignored when the model has one', async () => {
    repository.tag('v1')
    repository.addCommit({ files: { 'model.txt': 'second' } })
    repository.tag('v2')
    const provider = factory().create(notes().definition)
    expect((await provider.load('org/name@v1', { revision: 'v2' })).text).toBe('first')
  })

  test('is refused when it is invalid', async () => {
    const provider = factory().create(notes().definition)
    const refused = provider.load('org/name', { revision: '../main' })
    await expect(refused).rejects.toMatchObject({ code: 'INVALID_MODEL', asked: 'Model org/name' })
    expect(hub.requests).toEqual([])
  })
})

describe('an instance', () => {
  test('is freed when its last user disposes of it', async () => {
    const { definition, freed } = notes()
    const shared = factory()
    const [one, other] = [shared.create(definition), shared.create(definition)]
    await one.load('org/name')
    await other.load('org/name')
    await one.dispose()
    expect([freed, other.isLoaded('org/name')]).toEqual([[], true])
    await other.dispose()
    expect([freed, other.isLoaded('org/name')]).toEqual([['first'], false])
    await other.dispose()
    expect(freed).toEqual(['first'])
  })

  test('is loaded again for the next call after it was disposed of', async () => {
    const { definition, made } = notes()
    const provider = factory().create(definition)
    const before = await provider.load('org/name')
    await provider.dispose()
    expect(await provider.load('org/name')).not.toBe(before)
    expect(made).toEqual(['first', 'first'])
  })

  test('is freed by disposeAll, also while it is in use', async () => {
    const { definition, freed } = notes()
    const shared = factory()
    await shared.create(definition).load('org/name')
    await shared.create(definition).load('org/name', { file: 'other.txt' })
    await shared.disposeAll()
    expect(freed.sort()).toEqual(['first', 'other'])
    await shared.disposeAll()
    expect(freed).toHaveLength(2)
  })

  test('that is disposed of while it loads is freed after the load', async () => {
    const { definition, freed } = notes()
    const provider = factory().create(definition)
    const loading = provider.load('org/name')
    await provider.dispose()
    await loading
    expect(freed).toEqual(['first'])
    expect(provider.isLoaded('org/name')).toBe(false)
  })

  test('that a test freed by its own method is loaded again for the next call', async () => {
    for (const free of [(it: Pipeline) => it.dispose(), (it: Pipeline) => it.release()]) {
      const provider = factory().create(sessions(() => new Pipeline()))
      const before = await provider.load('org/name')
      await free(before)
      expect([before.freed, provider.isLoaded('org/name')]).toEqual([1, false])
      const after = await provider.load('org/name')
      expect(after).not.toBe(before)
      expect(await provider.load('org/name')).toBe(after)
      await provider.dispose()
      expect([before.freed, after.freed]).toEqual([1, 1])
    }
  })

  test('keeps the arguments and the result of its own dispose method', async () => {
    const provider = factory().create(sessions(() => new Pipeline()))
    const pipeline = await provider.load('org/name')
    expect(pipeline.release(3)).toBe(3)
    expect(await pipeline.dispose()).toBe('disposed')
    expect(pipeline).toBeInstanceOf(Pipeline)
  })

  test('that is freed twice by its own method leaves the next instance in place', async () => {
    const provider = factory().create(sessions(() => new Session()))
    const before = await provider.load('org/name')
    before.release()
    const after = await provider.load('org/name')
    before.release()
    expect(await provider.load('org/name')).toBe(after)
  })

  test('may be a frozen object, or no object', async () => {
    const frozen = factory().create(sessions(() => Object.freeze(new Session())))
    expect(await frozen.load('org/name')).toBe(await frozen.load('org/name'))
    for (const value of [5, 'text', null, undefined]) {
      const plain = factory().create({ name: 'plain', load: () => value })
      expect(await plain.load('org/name')).toBe(value)
    }
  })
})

describe('a load that fails', () => {
  test('rejects with its own error, and is tried again by the next call', async () => {
    let attempts = 0
    const { definition } = notes({
      load: () => {
        attempts++
        if (attempts === 1) throw new Error('no memory')
        return { text: 'there' }
      },
    })
    const provider = factory().create(definition)
    await expect(provider.load('org/name')).rejects.toThrow('no memory')
    expect(provider.isLoaded('org/name')).toBe(false)
    expect((await provider.load('org/name')).text).toBe('there')
    expect(recorder.drain()).toMatchObject({
      requests: [
        { tier: 'hub', loadMs: null },
        { tier: 'disk', loadMs: expect.any(Number) },
      ],
      errors: [],
    })
  })

  test('because the model is missing rejects with that error, and disposes of nothing', async () => {
    const { definition, freed } = notes()
    const provider = factory().create(definition)
    await expect(provider.load('org/missing')).rejects.toMatchObject({ code: 'MODEL_NOT_FOUND' })
    await provider.dispose()
    expect(freed).toEqual([])
    expect(recorder.drain()).toMatchObject({ requests: [], errors: [{ code: 'MODEL_NOT_FOUND' }] })
  })

  test('because the model is invalid rejects with INVALID_MODEL', async () => {
    const provider = factory().create(notes().definition)
    await expect(provider.load('a/b/c')).rejects.toMatchObject({ code: 'INVALID_MODEL' })
    await expect(provider.remove('a/b/c')).rejects.toMatchObject({ code: 'INVALID_MODEL' })
  })
})

describe('in unit mode', () => {
  test('load returns the mock, without a file and without a request', async () => {
    const { definition, made } = notes()
    const provider = factory('unit').create(definition)
    const mock = await provider.load('org/name')
    expect(mock).toEqual({ text: 'mock of org/name' })
    expect(await provider.load('org/name')).toBe(mock)
    await provider.download('org/name')
    expect(await provider.isDownloaded('org/name')).toBe(true)
    expect(provider.isLoaded('org/name')).toBe(true)
    expect(made).toEqual([])
    expect(hub.requests).toEqual([])
    expect(recorder.drain()).toEqual({ requests: [], errors: [], mocks: 1 })
    expect(await cache.list()).toEqual([])
  })

  test('remove does nothing, and list is empty, also with a filled cache', async () => {
    await cache.get('org/name')
    hub.clearRequests()
    const provider = factory('unit').create(notes().definition)
    await provider.remove('org/name')
    await provider.remove('org/missing')
    expect(await provider.list()).toEqual([])
    expect(await cache.has('org/name')).toBe(true)
    expect(hub.requests).toEqual([])
  })

  test('a provider without a mock is an error', async () => {
    const provider = factory('unit').create(notes({ mock: undefined }).definition)
    await expect(provider.load('org/name')).rejects.toMatchObject({
      code: 'UNIT_MODE',
      asked: 'Provider "notes"',
      nextStep: expect.stringContaining('`mock`'),
    })
  })
})
