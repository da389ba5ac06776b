import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { lstat, mkdir, readdir, readFile, readlink, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { snapshotDownload } from '@huggingface/hub'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { Cli } from '../support/cli.ts'
import { contentsOf, Engine, refusalOf, sha256 } from '../support/engine.ts'
import { removeFolder } from '../support/remove-folder.ts'
import { makeRequest } from '../support/request.ts'

const FILES = { 'config.json': '{}', 'deep/weights.bin': Buffer.alloc(30_000, 'weights') }
const CONTENTS = { ...FILES, 'deep/weights.bin': FILES['deep/weights.bin'].toString('latin1') }
const LONG_AGO = Date.now() / 1000 - 30 * 86_400

let engine: Engine

beforeEach(async () => {
  engine = await Engine.start(onTestFinished)
  engine.hub.addRepo('org/name', { files: FILES })
})

/** Writes files and their folders with a modification time of a month ago. */
async function place(folder: string, files: Record<string, string>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    const file = join(folder, path)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, content)
    for (let each = file; each !== folder; each = dirname(each)) await utimes(each, LONG_AGO, LONG_AGO)
  }
}

/** Everything below a folder: path, mode, modification time and content. */
async function stateOf(folder: string): Promise<unknown[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = entries.map((entry) => join(entry.parentPath, entry.name)).sort()
  return Promise.all(
    paths.map(async (path) => {
      const stats = await lstat(path)
      const content = stats.isFile() ? await readFile(path, 'latin1') : stats.isSymbolicLink() && (await readlink(path))
      return [path, stats.mode, stats.mtimeMs, content]
    }),
  )
}

function openForRun() {
  const id = `run-${randomBytes(4).toString('hex')}`
  const cache = engine.open({ run: { id, pid: process.pid }, whenUnusable: 'temporary' })
  onTestFinished(() => cache.endRun())
  return cache
}

test('a cache folder that was removed during a run is created again, and the next run uses it', async () => {
  const cache = openForRun()
  const { repo, commit } = await cache.get('org/name')
  const entries = await cache.list()
  const verbs = [
    () => cache.recordUses([makeRequest({ repo, commit })]),
    () => cache.claim(...entries),
    // Metadata as an earlier version wrote it.
    () => place(engine.cacheDir, { 'cache_metadata.json': '[\n\n]\n' }),
  ]
  for (const verb of verbs) {
    await rm(engine.cacheDir, { recursive: true })
    await verb()
    expect(await contentsOf(await engine.open().get('org/name'))).toEqual(CONTENTS)
  }
  expect(engine.warnings).toEqual([])
})

/** Calls all verbs that a run and the command line use. */
async function useAll(): Promise<void> {
  const cache = openForRun()
  const results = await cache.warm(['org/name', 'org/missing'])
  const manifest = await cache.manifest(results)
  await cache.claim(...(await cache.list()))
  const worker = engine.open({ ...cache.context.options, manifest, onDebug: undefined })
  const model = await worker.get('org/name')
  expect(await contentsOf(model)).toEqual(CONTENTS)
  expect(await worker.has('org/name')).toBe(true)
  const { repo, commit, files } = model
  await cache.recordUses([makeRequest({ repo, commit, files: [...files] })])
  await cache.maintain({ isOver: true })
  const record = { id: 'mb3k2x1a-77-0123ab-1-0', startedAt: new Date().toISOString(), project: '/app', used: [] }
  await cache.recordRun({ schemaVersion: 1, ...record })
  await cache.statistics()
  await worker.endRun()
  await cache.endRun()
}

const PROJECT = {
  'package.json': '{}',
  'node_modules/a/index.js': '',
  'events/handlers/order.ts': 'export {}',
  'leases/flat-12.json': '{"tenant":"Ann"}',
  'leases/ann.12-0.json': '{"tenant":"Ann"}',
  'api/users/0123456789abcdef0123456789abcdef.json': '{}',
  'runs/marathon-2026.0123456789ab.json': '{}',
  'incoming/report.77-0123456789ab.tmp': 'draft',
  'hub/index.ts': 'export {}',
}
const OWN_NAMES = Object.fromEntries(Object.entries(PROJECT).filter(([path]) => !/^(package|node)/.test(path)))
const MODEL = { 'hub/models--org--other/snapshots/main/config.json': '{}', 'hub/models--org--other/refs/main': 'x' }

describe.each([
  ['that is a project', PROJECT],
  ['that has only folders with names of the cache', OWN_NAMES],
  ['with another tool’s cache.json', { ...OWN_NAMES, 'cache.json': '{"version":3,"entries":[]}' }],
  ['with an empty cache.json', { ...OWN_NAMES, 'cache.json': '' }],
  ['with another tool’s tag', { ...MODEL, 'CACHEDIR.TAG': 'Signature: 8a477f597d28d172789f06886806bc55\n# pip\n' }],
  ['that is a Hugging Face home', { ...MODEL, token: 'hf_x', 'hub/version.txt': '1' }],
  ['whose cache_metadata.json lists other things', { ...MODEL, 'cache_metadata.json': '[{"name":"a"}]' }],
])('a folder %s', (_, files) => {
  test('is not changed, and a run is served from a temporary folder with one warning', async () => {
    await place(engine.cacheDir, files)
    const before = await stateOf(engine.folder)
    await useAll()
    expect(await stateOf(engine.folder)).toEqual(before)
    expect([...new Set(engine.warnings)]).toEqual([
      expect.stringMatching(/`cacheDir`, MODEL_CACHE_DIR.*temporary folder/),
    ])
    expect(engine.warnings[0]).toContain(engine.cacheDir)
    expect(engine.filesAsked.sort()).toEqual(Object.keys(FILES))
    const cache = engine.open()
    const calls = [
      () => cache.get('org/name'),
      () => cache.clean(),
      () => cache.optimize({ aloneForMs: 0 }),
      () => cache.verify(),
    ]
    for (const call of calls) expect(await refusalOf(call())).toMatchObject({ code: 'NOT_A_CACHE' })
    expect(await refusalOf(cache.remove('org/name'))).toMatchObject({ code: 'MODEL_NOT_FOUND' })
    expect(await stateOf(engine.folder)).toEqual(before)
  })
})

test('every command refuses a folder that is not a cache, and changes nothing', async () => {
  await place(engine.cacheDir, PROJECT)
  const before = await stateOf(engine.cacheDir)
  const commands = [
    'warm org/name',
    'verify',
    'clean --yes',
    'optimize',
    'rm org/name --yes',
    'pin org/name',
    'path org/name',
    'report',
  ]
  const cli = new Cli(engine)
  for (const command of commands) {
    const { exitCode, stderr, stdout } = await cli.run(...command.split(' '))
    expect({ command, exitCode, stdout }).toEqual({ command, exitCode: 2, stdout: '' })
    expect(stderr).toContain('NOT_A_CACHE')
  }
  const { exitCode, stdout } = await cli.run('doctor')
  expect([exitCode, stdout]).toEqual([1, expect.stringContaining('no cache.json')])
  expect(await stateOf(engine.cacheDir)).toEqual(before)
})

test('a folder that is not a cache is not changed if the cache folder is a link to it', async () => {
  const theirs = join(engine.folder, 'theirs')
  await place(theirs, PROJECT)
  await symlink(theirs, engine.cacheDir)
  const before = await stateOf(theirs)
  await useAll()
  expect(await stateOf(theirs)).toEqual(before)
})

describe.each(['events', 'leases', 'incoming', 'runs', 'origins', 'cold', 'renames', 'api'])(
  'a cache in which %s is a link',
  (room) => {
    test('writes and deletes nothing in the folder that the link leads to', async () => {
      await engine.open().get('org/name')
      const theirs = join(engine.folder, 'theirs')
      await place(theirs, {
        ...PROJECT,
        'draft.77-0123456789ab.tmp': '',
        'ann.12-0.json': '{"tenant":"Ann"}',
        'mb3k2x1a-77-0123ab/manifest.json': '{}',
        'org%2Fgone/0123456789abcdef0123456789abcdef.json': '{}',
        'marathon-2026.0123456789ab.json': '{}',
      })
      await removeFolder(engine.inCache(room))
      await symlink(theirs, engine.inCache(room))
      const before = await stateOf(theirs)
      engine.hub.addRepo('org/more', { files: { 'config.json': '{"more":1}' } })
      const cache = openForRun()
      expect(await contentsOf(await cache.get('org/more'))).toEqual({ 'config.json': '{"more":1}' })
      await cache.maintain({ isOver: true })
      await cache.endRun()
      expect(engine.warnings).toEqual([expect.stringContaining(`${engine.inCache(room)} is a link`)])
      for (const call of [
        () => engine.open().clean(),
        () => engine.open().optimize({ aloneForMs: 0 }),
        () => engine.open().pack(),
      ])
        expect(await refusalOf(call())).toMatchObject({ code: 'CACHE_UNUSABLE' })
      await engine
        .open()
        .remove('org/name')
        .catch(() => undefined)
      expect(await stateOf(theirs)).toEqual(before)
    })
  },
)

test('if `hub` is a link to a folder of other tools, their models are not removed for age or size', async () => {
  await mkdir(engine.cacheDir)
  const theirs = join(engine.folder, 'huggingface')
  await mkdir(theirs)
  await symlink(theirs, engine.inCache('hub'))
  engine.hub.addRepo('org/ours', { files: { 'config.json': '{"ours":1}' } })
  await engine.open().get('org/ours')
  const { commit: revision } = engine.hub.addRepo('org/theirs', { files: FILES })
  await snapshotDownload({ repo: 'org/theirs', revision, cacheDir: theirs, hubUrl: engine.hub.url })
  const blob = join(theirs, 'models--org--theirs/blobs', sha256('alone'))
  await writeFile(blob, 'alone')
  const before = await readdir(join(theirs, 'models--org--theirs'), { recursive: true })
  await engine.open().get(`org/theirs@${revision}`)
  const cache = engine.open({ maxSize: 0, maxAge: 0 })
  await cache.optimize({ aloneForMs: 0 })
  await cache.maintain()
  await engine.open({ maxSize: 1 }).get('org/name')
  expect((await engine.open().list()).map(({ repo }) => repo)).toEqual(['org/name', 'org/theirs'])
  const after = await readdir(join(theirs, 'models--org--theirs'), { recursive: true })
  expect(after).toEqual(expect.arrayContaining(before))
})

describe('a cache without its cache.json', () => {
  const nul = (path: string) => readFile(path).then(({ length }) => writeFile(path, Buffer.alloc(length)))
  const lost: [string, () => Promise<unknown>][] = [
    ['is removed', () => rm(engine.inCache('cache.json'))],
    ['is empty after a loss of power', () => writeFile(engine.inCache('cache.json'), '')],
    ['is incomplete', () => writeFile(engine.inCache('cache.json'), '{"form')],
    [
      'is removed with CACHEDIR.TAG',
      () => Promise.all(['cache.json', 'CACHEDIR.TAG'].map((name) => rm(engine.inCache(name)))),
    ],
    [
      'is full of zeros, like CACHEDIR.TAG and the metadata, after a loss of power',
      () => Promise.all(['cache.json', 'CACHEDIR.TAG', 'cache_metadata.json'].map((name) => nul(engine.inCache(name)))),
    ],
  ]
  test.each(lost)('gets a new one and serves its models if the file %s', async (_, lose) => {
    await engine.open().get('org/name')
    await lose()
    await writeFile(engine.inCache('.gitignore'), '*')
    engine.hub.addRepo('org/more', { files: { 'config.json': '{"more":1}' } })
    engine.hub.clearRequests()
    expect(await contentsOf(await openForRun().get('org/name'))).toEqual(CONTENTS)
    expect(engine.filesAsked).toEqual([])
    await engine.open().get('org/more')
    expect(JSON.parse(await readFile(engine.inCache('cache.json'), 'utf8'))).toEqual({ format: 1 })
    expect((await engine.open().list()).map(({ repo }) => repo)).toEqual(['org/more', 'org/name'])
  })

  test('gets a new one from the command line, but not if the folder also holds other files', async () => {
    await engine.open().get('org/name')
    await rm(engine.inCache('cache.json'))
    await writeFile(engine.inCache('notes.txt'), 'mine')
    const cli = new Cli(engine)
    expect((await cli.run('rm', 'org/name', '--yes')).exitCode).toBe(2)
    await rm(engine.inCache('notes.txt'))
    expect((await cli.run('rm', 'org/name', '--yes')).exitCode).toBe(0)
    expect(await engine.listing('hub')).toEqual([])
  })

  test.each(['', '.gitignore', 'lost+found/'])('may be a new folder with "%s", which becomes a cache', async (name) => {
    await mkdir(engine.inCache(name.endsWith('/') ? name : ''), { recursive: true })
    if (name && !name.endsWith('/')) await writeFile(engine.inCache(name), '*')
    await openForRun().get('org/name')
    expect([engine.warnings, existsSync(engine.inCache('cache.json'))]).toEqual([[], true])
  })
})

describe('a file that a user put into the cache folder', () => {
  const REPO = 'hub/models--org--name'
  const theirs = (commit: string) => ({
    'notes.txt': 'mine',
    'incoming/draft.tmp': 'mine',
    'incoming/draft.incomplete': 'mine',
    'leases/ann.json': '{}',
    'runs/notes.json': '{}',
    'events/bus.ts': 'mine',
    'api/org%2Fgone/notes.json': '{}',
    'api/users/get.ts': 'mine',
    'hub/notes.txt': 'mine',
    [`${REPO}/README.md`]: 'mine',
    [`${REPO}/blobs/README.md`]: 'mine',
    [`${REPO}/blobs/copy of ${sha256('x')}`]: 'mine',
    [`${REPO}/blobs/${sha256('folder')}/inside.txt`]: 'mine',
    [`${REPO}/refs/notes`]: 'mine',
    [`${REPO}/trees/notes.json`]: '{}',
    [`${REPO}/.no_exist/${commit}/notes.txt`]: 'mine',
    [`${REPO}/snapshots/${commit}/my notes.txt`]: 'mine',
    [`${REPO}/snapshots/${commit}/new\nline/notes.txt`]: 'mine',
  })

  test('is kept when models are removed and the cache is cleaned', async () => {
    const { commit, directory } = await engine.open().get('org/name')
    await place(engine.cacheDir, theirs(commit))
    const outside = join(engine.folder, 'outside')
    await place(outside, { 'precious.txt': 'precious' })
    await symlink(outside, join(directory, 'linked'))
    await symlink(outside, engine.inCache(REPO, 'blobs', 'linked'))
    await symlink(outside, engine.inCache(REPO, '.no_exist', 'linked'))
    await mkdir(engine.inCache('api'), { recursive: true })
    await symlink(outside, engine.inCache('api/linked'))
    await engine.open().remove('org/name')
    await engine.open({ maxAge: 0, maxSize: 0 }).optimize({ aloneForMs: 0 })
    await engine.open().clean()
    const left = (await engine.listing()).filter((path) => !/^(cache|CACHEDIR|origins)/.test(path))
    const links = [
      `${REPO}/.no_exist/linked`,
      `${REPO}/blobs/linked`,
      `${REPO}/snapshots/${commit}/linked`,
      'api/linked',
    ]
    expect(left).toEqual([...Object.keys(theirs(commit)), ...links].sort())
    expect(await readFile(join(outside, 'precious.txt'), 'utf8')).toBe('precious')
    expect((await engine.open().get('org/name')).tier).toBe('hub')
  })

  test.each(['refs', 'snapshots', 'blobs', 'trees', '.no_exist'])(
    'is kept if %s of a repo is a link to its folder',
    async (name) => {
      await engine.open().get('org/name')
      const outside = join(engine.folder, 'outside')
      const linked = engine.inCache(REPO, name)
      await mkdir(linked, { recursive: true })
      await rename(linked, outside)
      await symlink(outside, linked)
      const before = await stateOf(outside)
      await engine.open().remove('org/name')
      await engine.open({ maxAge: 0 }).optimize({ aloneForMs: 0 })
      expect(await stateOf(outside)).toEqual(before)
    },
  )
})
