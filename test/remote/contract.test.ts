import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { ObjectBody, RemoteStore } from '../../src/remote/store.ts'
import type { StartedBackend } from '../support/remote/backend.ts'
import { backends } from '../support/remote/backends.ts'
import { all, bodyOf, bytesOf, madeBytes, textOf } from '../support/remote/bodies.ts'
import type { Fault } from '../support/remote/faulty-proxy.ts'
import { useBackend } from '../support/remote/use-backend.ts'

const { signal } = new AbortController()
const LARGE_KEY = 'blobs/sha256/ab/large'
const OTHER = 'blobs/sha256/ab/other'
const KEY = 'blobs/sha256/ab/abcd'
// Two parts on S3.
const LARGE = 9 * 2 ** 20 + 3
const SECRETS = ['S3RVER', 'the-token', 'the-password']

test.runIf(process.env.CI)('each server of the table can be started in CI', () => {
  expect(backends.flatMap(({ name, missing }) => (missing === undefined ? [] : [`${name}: ${missing}`]))).toEqual([])
})

describe.each(backends)('a store of $name', (kind) => {
  const started = useBackend(kind)
  if (!started) return

  let backend: StartedBackend
  let store: RemoteStore
  let stores = 0

  beforeAll(() => {
    backend = started()
  })
  beforeEach(async () => {
    store = await backend.open(`store${++stores}`)
  })
  afterEach(() => store.close?.())

  const put = (content: string, options: { overwrite?: boolean } = {}) =>
    store.put(KEY, bodyOf(content), { signal, ...options })

  test('has a name for messages', () => {
    expect(store.name).toMatch(/^\w+:\/\//)
    for (const secret of SECRETS) expect(store.name).not.toContain(secret)
  })

  test('tells that an object is missing', async () => {
    expect(await store.has(KEY, { signal })).toBeUndefined()
    expect(await store.get(KEY, { signal })).toBeUndefined()
    expect(await store.get(KEY, { signal, start: 3, end: 6 })).toBeUndefined()
    await put('something')
    expect(await store.has(`${KEY}e`, { signal })).toBeUndefined()
    await store.remove?.(`${KEY}e`, { signal })
  })

  test('returns what was written, whole and in parts', async () => {
    expect(await put('0123456789')).toBe('written')
    const again = await backend.open(`store${stores}`)
    expect(await again.has(KEY, { signal })).toEqual({ size: 10 })
    const read = async (range: { start?: number; end?: number }) => textOf(await again.get(KEY, { signal, ...range }))
    expect(await read({})).toBe('0123456789')
    expect(await read({ start: 3, end: 6 })).toBe('345')
    expect(await read({ end: 1 })).toBe('0')
    expect(await read({ start: 7 })).toBe('789')
    expect(await read({ start: 8, end: 100 })).toBe('89')
    expect(await read({ start: 4, end: 4 })).toBe('')
    expect(await read({ start: 10 })).toBe('')
    again.close?.()
  })

  test('keeps an object that exists, unless it is told to overwrite', async () => {
    expect(await put('first')).toBe('written')
    expect(await put('other')).toBe('exists')
    expect(await textOf(await store.get(KEY, { signal }))).toBe('first')
    expect(await put('the newer one', { overwrite: true })).toBe('written')
    expect(await textOf(await store.get(KEY, { signal }))).toBe('the newer one')
  })

  test('takes an empty object, and keys of all characters that are allowed', async () => {
    const keys = ['refs/a-host.example-0a/Org_1/a.b..c-d_E/0123.ABCxyz/listing.json', 'blobs/Z', 'models/0/-/_/x.', KEY]
    for (const key of keys) expect(await store.put(key, bodyOf(key === KEY ? '' : key), { signal })).toBe('written')
    for (const key of keys) expect(await textOf(await store.get(key, { signal }))).toBe(key === KEY ? '' : key)
    expect(await store.has(KEY, { signal })).toEqual({ size: 0 })
  })

  test('has one whole object after two uploads at once', async () => {
    const results = await Promise.all([put('first'), put('other')])
    expect(results).toContain('written')
    expect(['first', 'other']).toContain(await textOf(await store.get(KEY, { signal })))
  })

  test('shows nothing of an upload before its end', async () => {
    let seen: unknown = 'not asked'
    const half = Buffer.from('01234')
    const asking: ObjectBody = {
      size: 10,
      async *open() {
        yield half
        seen = await store.has(KEY, { signal })
        yield half
      },
    }
    expect(await store.put(KEY, asking, { signal })).toBe('written')
    expect(seen).toBeUndefined()
    expect(await textOf(await store.get(KEY, { signal }))).toBe('0123401234')
  })

  test.each([
    ['can not be read', { size: 10, open: () => failing() }],
    ['are fewer than was stated', bodyOf('0123', 10)],
    ['are more than was stated', bodyOf('0123456789ab', 10)],
    ['are fewer than was stated, of a large object', bodyOf(madeBytes(8.5 * 2 ** 20), LARGE)],
  ])('writes nothing if the bytes %s', async (_, body) => {
    const error = await store.put(KEY, body, { signal }).catch((error) => error)
    expect(error).toBeInstanceOf(Error)
    // The store is not to blame.
    expect(error.failure ?? 'failed').toBe('failed')
    expect(await store.has(KEY, { signal })).toBeUndefined()
  })

  test('takes a large object and returns it in parts that are read at once', async () => {
    const bytes = madeBytes(LARGE)
    expect(await store.put(KEY, bodyOf(bytes), { signal })).toBe('written')
    expect(await store.has(KEY, { signal })).toEqual({ size: LARGE })
    const starts = [0, 3, 6, 8.5].map((start) => start * 2 ** 20)
    const parts = await Promise.all(
      starts.map(async (start, index) => bytesOf(await store.get(KEY, { signal, start, end: starts[index + 1] }))),
    )
    expect(bytes.equals(Buffer.concat(parts.map((part) => part ?? Buffer.alloc(0))))).toBe(true)
    expect(await store.put(KEY, bodyOf(bytes), { signal })).toBe('exists')
  })

  test('lists the objects below a prefix, of its own store only', async () => {
    if (!store.list) return
    const other = await backend.open(`store${stores}other`)
    const objects = { 'blobs/a/1': 'one', 'blobs/b/2': 'second', 'models/1': 'x' }
    for (const [key, content] of Object.entries(objects)) await store.put(key, bodyOf(content), { signal })
    await other.put('blobs/a/3', bodyOf('foreign'), { signal })
    const listed = await all(store.list('blobs/', { signal }))
    const byKey = listed.sort((a, b) => (a.key < b.key ? -1 : 1))
    expect(byKey.map(({ key, size }) => [key, size])).toEqual([
      ['blobs/a/1', 3],
      ['blobs/b/2', 6],
    ])
    for (const { modifiedMs } of listed) expect(Math.abs(modifiedMs - Date.now())).toBeLessThan(300_000)
    expect(await all(store.list('none/', { signal }))).toEqual([])
    expect((await all(store.list('', { signal }))).length).toBe(3)
    other.close?.()
  })

  test('removes an object', async () => {
    if (!store.remove) return
    await put('something')
    await store.remove(KEY, { signal })
    expect(await store.has(KEY, { signal })).toBeUndefined()
    expect(await put('something else')).toBe('written')
  })

  test('ends each call with the reason of the signal, and goes on working', async () => {
    await put('0123456789')
    const reason = new Error('enough')
    const ended = { signal: AbortSignal.abort(reason) }
    await expect(store.has(KEY, ended)).rejects.toBe(reason)
    await expect(store.get(KEY, ended)).rejects.toBe(reason)
    await expect(store.put(OTHER, bodyOf('x'), ended)).rejects.toBe(reason)
    if (store.list) await expect(all(store.list('', ended))).rejects.toBe(reason)
    if (store.remove) await expect(store.remove(KEY, ended)).rejects.toBe(reason)
    const controller = new AbortController()
    const stopping: ObjectBody = {
      size: LARGE,
      async *open() {
        yield* bodyOf(madeBytes(8.5 * 2 ** 20)).open()
        controller.abort(reason)
        yield* bodyOf(madeBytes(LARGE - 8.5 * 2 ** 20)).open()
      },
    }
    await expect(store.put(OTHER, stopping, { signal: controller.signal })).rejects.toBe(reason)
    expect(await store.has(OTHER, { signal })).toBeUndefined()
    const read = new AbortController()
    await store.put(LARGE_KEY, bodyOf(madeBytes(LARGE)), { signal })
    const chunks = await store.get(LARGE_KEY, { signal: read.signal })
    const reading = (async () => {
      for await (const _ of chunks ?? []) read.abort(reason)
    })()
    await expect(reading).rejects.toBe(reason)
    expect(await textOf(await store.get(KEY, { signal }))).toBe('0123456789')
  })

  // What follows needs a server that is at fault.
  const atFault = (fault: Fault, method?: string) => backend.proxy?.add({ fault, ...(method && { method }) })

  test('tells apart why a server does not answer well', async ({ skip }) => {
    if (!backend.proxy) return skip('there is no server')
    await put('0123456789')
    const failures: [number, string][] = [
      [401, 'denied'],
      [403, 'denied'],
      [429, 'busy'],
      [503, 'busy'],
      [500, 'failed'],
      [507, 'full'],
    ]
    for (const [status, failure] of failures) {
      backend.proxy.reset()
      atFault({ status, headers: { 'Retry-After': '7' }, body: '<html>an answer of a proxy in between</html>' })
      const expected = { name: 'RemoteError', failure, message: expect.stringContaining(`${status}`) }
      await expect(store.has(KEY, { signal }), `has, ${status}`).rejects.toMatchObject(expected)
      await expect(store.get(KEY, { signal }), `get, ${status}`).rejects.toMatchObject(expected)
      await expect(put('x', { overwrite: true }), `put, ${status}`).rejects.toMatchObject(expected)
      if (failure === 'busy')
        await expect(store.get(KEY, { signal })).rejects.toMatchObject({ options: { retryAfterMs: 7000 } })
    }
    backend.proxy.reset()
    atFault({ status: 404 })
    expect(await store.get(KEY, { signal })).toBeUndefined()
    backend.proxy.reset()
    expect(await textOf(await store.get(KEY, { signal }))).toBe('0123456789')
  })

  test('takes a refused condition for an object that exists', async ({ skip }) => {
    if (!backend.proxy) return skip('there is no server')
    atFault({ status: 412 }, 'PUT')
    expect(await put('something')).toBe('exists')
    backend.proxy.reset()
    // Somebody else writes it at the same time.
    let writing = false
    backend.proxy.add(({ method, headers }) => {
      if (method !== 'PUT' || headers['if-none-match'] === undefined) return undefined
      writing = true
      return { status: 409 }
    })
    const result = put('something').catch((error) => error.failure)
    expect(['busy', 'failed', 'written']).toContain(await result)
    expect(writing || (await result) === 'written').toBe(true)
  })

  test('notices a connection that breaks or a server that is gone', async ({ skip }) => {
    if (!backend.proxy) return skip('there is no server')
    const expected = { name: 'RemoteError', failure: 'unreachable' }
    const bytes = madeBytes(LARGE)
    await store.put(KEY, bodyOf(bytes), { signal })
    atFault({ cutAfter: 2 ** 20 }, 'GET')
    await expect(store.get(KEY, { signal }).then(bytesOf)).rejects.toMatchObject(expected)
    await expect(store.get(KEY, { signal, start: 5, end: LARGE }).then(bytesOf)).rejects.toMatchObject(expected)
    backend.proxy.reset()
    atFault('cut')
    await expect(store.has(KEY, { signal })).rejects.toMatchObject(expected)
    await expect(store.get(KEY, { signal })).rejects.toMatchObject(expected)
    await expect(put('x', { overwrite: true })).rejects.toMatchObject(expected)
    backend.proxy.reset()
    atFault('cut', 'PUT')
    await expect(store.put(OTHER, bodyOf(bytes), { signal })).rejects.toMatchObject(expected)
    backend.proxy.reset()
    expect(await store.has(OTHER, { signal })).toBeUndefined()
    expect(bytes.equals((await bytesOf(await store.get(KEY, { signal }))) ?? Buffer.alloc(0))).toBe(true)
  })

  test('waits for a silent server until the signal ends the call', async ({ skip }) => {
    if (!backend.proxy) return skip('there is no server')
    const { proxy } = backend
    const reason = new Error('enough')
    const calls = [
      (options: { signal: AbortSignal }) => store.has(KEY, options),
      (options: { signal: AbortSignal }) => store.get(KEY, options),
      (options: { signal: AbortSignal }) => store.put(KEY, bodyOf('x'), { ...options, overwrite: true }),
    ]
    for (const call of calls) {
      const controller = new AbortController()
      proxy.reset()
      proxy.add(() => {
        controller.abort(reason)
        return 'hang'
      })
      await expect(call({ signal: controller.signal })).rejects.toBe(reason)
    }
  })
})

// biome-ignore lint/correctness/useYield: it fails before its first byte.
async function* failing(): AsyncGenerator<Uint8Array> {
  throw new Error('the disk is broken')
}
