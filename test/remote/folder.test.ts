import { chmod, mkdir, mkdtemp, readdir, readFile, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { openStore } from '../../src/remote/open-store.ts'
import type { ObjectBody, RemoteStore } from '../../src/remote/store.ts'
import { all, bodyOf, textOf } from '../support/remote/bodies.ts'
import { removeFolder } from '../support/remove-folder.ts'

const { signal } = new AbortController()
const KEY = 'blobs/sha256/ab/abcd'

async function emptyFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'shared folder '))
  onTestFinished(() => removeFolder(folder))
  return folder
}

function openFolder(folder: string): Promise<RemoteStore> {
  return openStore({ url: pathToFileURL(folder).href, timeoutMs: 1000, uploadPrivate: false }, {})
}

test('an object is written once, and read whole or in part', async () => {
  const folder = await emptyFolder()
  const store = await openFolder(join(folder, 'share'))
  expect(await store.get(KEY, { signal })).toBeUndefined()
  expect(await all(store.list?.('', { signal }))).toEqual([])
  const unmounted = await openFolder(join(folder, 'gone/share'))
  await expect(unmounted.get(KEY, { signal })).rejects.toMatchObject({ failure: 'unreachable' })
  await expect(unmounted.put(KEY, bodyOf('x'), { signal })).rejects.toMatchObject({ failure: 'unreachable' })
  const both = await Promise.all(['0123456789', 'abcdefghij'].map((text) => store.put(KEY, bodyOf(text), { signal })))
  expect(both.sort()).toEqual(['exists', 'written'])
  expect(await store.put(KEY, bodyOf('other'), { signal })).toBe('exists')
  expect(await store.has(KEY, { signal })).toEqual({ size: 10 })
  expect(await store.put(KEY, bodyOf('0123456789'), { signal, overwrite: true })).toBe('written')
  expect(await textOf(await store.get(KEY, { signal }))).toBe('0123456789')
  expect(await textOf(await store.get(KEY, { signal, start: 3, end: 6 }))).toBe('345')
  expect(await textOf(await store.get(KEY, { signal, start: 8, end: 100 }))).toBe('89')
  expect(await store.get('blobs/sha256/ab/none', { signal })).toBeUndefined()
  const listed = await all(store.list?.('blobs/sha', { signal }))
  expect(listed).toEqual([{ key: KEY, size: 10, modifiedMs: expect.any(Number) }])
  await store.remove?.(KEY, { signal })
  await store.remove?.(KEY, { signal })
  expect(await store.has(KEY, { signal })).toBeUndefined()
  expect(await readdir(join(folder, 'share/blobs/sha256/ab'))).toEqual([])
})

// Vitest fails a run in which an error reaches the process.
test('a read that is stopped before its first byte rejects, and no error ends the process', async () => {
  const store = await openFolder(await emptyFolder())
  await store.put(KEY, bodyOf('0123456789'), { signal })
  const stop = new AbortController()
  const body = await store.get(KEY, { signal: stop.signal })
  stop.abort(new Error('It gave no answer within 2 s'))
  await expect(textOf(body)).rejects.toThrow('It gave no answer within 2 s')
  await new Promise(setImmediate)
})

test('an object that is shorter than stated, or whose writer fails, is not written and leaves nothing', async () => {
  const folder = await emptyFolder()
  const store = await openFolder(folder)
  await expect(store.put(KEY, bodyOf('0123', 10), { signal })).rejects.toMatchObject({ name: 'RemoteError' })
  const stop = new AbortController()
  const stopped: ObjectBody = {
    size: 10,
    async *open() {
      yield Buffer.from('0123')
      stop.abort(new Error('The run is over'))
      yield Buffer.from('456789')
    },
  }
  await expect(store.put(KEY, stopped, { signal: stop.signal })).rejects.toThrow('The run is over')
  expect(await readdir(join(folder, 'blobs/sha256/ab'))).toEqual([])
})

test('what a killed writer left is not listed, and is removed after a day', async () => {
  const folder = await emptyFolder()
  const store = await openFolder(folder)
  await store.put(KEY, bodyOf('0123'), { signal })
  const [old, recent] = ['a', 'b'].map((letter) => join(folder, 'blobs/sha256/ab', `.${letter.repeat(24)}.tmp`))
  for (const path of [old, recent]) await writeFile(path ?? '', 'left')
  const twoDaysAgo = (Date.now() - 2 * 86_400_000) / 1000
  await utimes(old ?? '', twoDaysAgo, twoDaysAgo)
  expect(await all(store.list?.('', { signal }))).toHaveLength(1)
  await store.put('blobs/sha256/ab/abce', bodyOf('x'), { signal })
  expect((await readdir(join(folder, 'blobs/sha256/ab'))).sort()).toEqual([`.${'b'.repeat(24)}.tmp`, 'abcd', 'abce'])
})

test('links lead nowhere, and other keys than ours are refused', async () => {
  const [folder, other] = [await emptyFolder(), await emptyFolder()]
  const store = await openFolder(folder)
  await writeFile(join(other, 'abcd'), 'secret')
  await mkdir(join(folder, 'blobs/sha256/cd'), { recursive: true })
  await symlink(other, join(folder, 'blobs/sha256/ab'))
  await symlink(join(other, 'abcd'), join(folder, 'blobs/sha256/cd/abcd'))
  for (const key of [KEY, 'blobs/sha256/cd/abcd']) {
    expect(await store.has(key, { signal })).toBeUndefined()
    expect(await store.get(key, { signal })).toBeUndefined()
  }
  await expect(store.put('blobs/sha256/ab/new', bodyOf('x'), { signal })).rejects.toMatchObject({ failure: 'misused' })
  await store.remove?.(KEY, { signal })
  expect(await all(store.list?.('', { signal }))).toEqual([])
  expect(await readdir(other)).toEqual(['abcd'])
  expect(await readFile(join(other, 'abcd'), 'utf8')).toBe('secret')
  for (const key of [
    '../x',
    'blobs/../../x',
    '/etc/passwd',
    'blobs//x',
    'blobs/./x',
    'other/x',
    'blobs',
    'blobs/a\\b',
    'blobs/a%2fb',
  ])
    await expect(store.get(key, { signal })).rejects.toThrow('is not the key of an object')
})

test.runIf(process.platform !== 'win32')('who may use the folder may use all that is written into it', async () => {
  const folder = await emptyFolder()
  await chmod(folder, 0o2775)
  const store = await openFolder(folder)
  await store.put(KEY, bodyOf('x'), { signal })
  const modes = ['blobs', 'blobs/sha256/ab', KEY].map(async (path) => (await stat(join(folder, path))).mode & 0o7777)
  expect(await Promise.all(modes)).toEqual([0o2775, 0o2775, 0o444])
})

test('a remote of an unknown kind is refused with the kinds that there are', async () => {
  const opened = openStore({ url: 'ftp://host/path', timeoutMs: 1000, uploadPrivate: false }, {})
  await expect(opened).rejects.toMatchObject({
    code: 'INVALID_OPTION',
    nextStep: expect.stringMatching(/s3:.*https:.*file:/),
  })
})
