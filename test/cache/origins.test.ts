import { chmod, chown, mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { CacheOptions, ModelCache } from '../../src/cache/index.ts'
import { originKey } from '../../src/model/origin-key.ts'
import { Cli } from '../support/cli.ts'
import { contentsOf, Engine, gitSha1, refusalOf, sha256 } from '../support/engine.ts'
import { type Hub, type Repository, startHub } from '../support/hub/index.ts'

const COMMIT = 'a'.repeat(40)
const GENUINE = { 'config.json': '{"genuine":true}', 'same.bin': 'the same weights', 'weights.bin': 'GENUINE' }
const EVIL = { ...GENUINE, 'config.json': '{"evil":true}', 'weights.bin': 'EVILEVIL' }
const REPO = 'hub/models--org--name'

let engine: Engine
let mirror: Hub
let ofMirror: Repository

beforeEach(async () => {
  engine = await Engine.start(onTestFinished)
  mirror = await startHub()
  onTestFinished(() => mirror.close())
  engine.hub.addRepo('org/name', { files: GENUINE, commit: COMMIT, pipelineTag: 'feature-extraction' })
  ofMirror = mirror.addRepo('org/name', { files: EVIL, commit: COMMIT })
})

/** A cache over the same folder that asks the mirror. */
function openMirror(options: Partial<CacheOptions> = {}): ModelCache {
  return engine.open({ hub: { endpoint: mirror.url, concurrency: 8 }, ...options })
}

function filesAsked({ requests }: Hub): string[] {
  return requests.filter(({ kind }) => kind === 'resolve').map(({ file }) => String(file))
}

function clearRequests(): void {
  engine.hub.clearRequests()
  mirror.clearRequests()
}

/** Checks that each endpoint's files are served for that endpoint, without a request. */
async function expectBothWarm(model = 'org/name'): Promise<void> {
  clearRequests()
  expect(await contentsOf(await engine.open().get(model))).toEqual(GENUINE)
  expect(await contentsOf(await openMirror().get(model))).toEqual(EVIL)
  expect([engine.hub.requests, mirror.requests]).toEqual([[], []])
}

describe('a commit that two endpoints state differently', () => {
  test.each(['org/name', `org/name@${COMMIT}`])(
    'is served for each endpoint with the files that this endpoint states: %s',
    async (model) => {
      const first = await openMirror().get(model)
      const second = await engine.open({ validate: 'digest' }).get(model)
      expect(await contentsOf(second)).toEqual(GENUINE)
      expect(await contentsOf(first)).toEqual(EVIL)
      expect([first.commit, second.commit]).toEqual([COMMIT, COMMIT])
      // The files that both endpoints state alike are verified in their place.
      expect(filesAsked(engine.hub).sort()).toEqual(['config.json', 'weights.bin'])
      await expectBothWarm(model)
      expect((await engine.open().verify()).problems).toEqual([])
    },
  )

  test('is served correctly for concurrent requests to both endpoints', async () => {
    const models = ['org/name', `org/name@${COMMIT}`]
    const asked = Array.from({ length: 12 }, (_, index) => {
      const cache = index % 2 === 0 ? engine.open() : openMirror()
      return cache.get(models[index % 3 === 0 ? 0 : 1] ?? '')
    })
    const contents = await Promise.all((await Promise.all(asked)).map(contentsOf))
    expect(contents).toEqual(asked.map((_, index) => (index % 2 === 0 ? GENUINE : EVIL)))
    expect(filesAsked(engine.hub).length + filesAsked(mirror).length).toBe(5)
    await expectBothWarm()
  })

  test('is distinguished by its digests after the metadata was lost, and the access is kept', async () => {
    await openMirror().get('org/name')
    await engine.open().get('org/name')
    const before = await engine.open().list()
    await rm(engine.inCache('cache_metadata.json'))
    await expectBothWarm()
    const after = await engine.open().list()
    const fields = ({ endpoint, snapshot, access, task }: (typeof after)[number]) => [endpoint, snapshot, access, task]
    expect(after.map(fields)).toEqual(before.map(fields))
    expect(after.map(({ access }) => access)).toEqual(['public', 'public'])
  })

  test('is packed and restored for each endpoint alone', async () => {
    await openMirror().get('org/name')
    await engine.open().pack()
    clearRequests()
    expect((await refusalOf(engine.open({ offline: true }).get('org/name'))).code).toBe('OFFLINE')
    expect(await contentsOf(await engine.open().get('org/name'))).toEqual(GENUINE)
    // What both endpoints state alike is restored.
    expect(filesAsked(engine.hub).sort()).toEqual(['config.json', 'weights.bin'])
    await engine.open().pack()
    await rm(engine.inCache('cache_metadata.json'))
    await expectBothWarm()
  })

  test('has two entries, which can be removed one by one', async () => {
    await openMirror().get('org/name')
    await engine.open().get('org/name')
    const entries = await engine.open().list()
    expect(entries.map(({ endpoint }) => endpoint).sort()).toEqual([engine.hub.url, mirror.url].sort())
    const evil = entries.filter(({ endpoint }) => endpoint === mirror.url)
    expect((await engine.open().remove(...evil)).freedBytes).toBe('{"evil":true}EVILEVIL'.length)
    clearRequests()
    expect(await contentsOf(await engine.open().get('org/name'))).toEqual(GENUINE)
    expect(await contentsOf(await openMirror().get('org/name'))).toEqual(EVIL)
    expect(engine.hub.requests).toEqual([])
    expect(filesAsked(mirror).sort()).toEqual(['config.json', 'weights.bin'])
    await engine.open().remove('org/name')
    expect(await engine.listing('hub')).toEqual([])
    expect((await engine.listing('origins')).filter((path) => !path.endsWith('/endpoint'))).toEqual([])
  })

  test('is repaired only by its own endpoint', async () => {
    await openMirror().get('org/name')
    const blob = engine.inCache(REPO, 'blobs', sha256('EVILEVIL'))
    await rm(blob)
    clearRequests()
    const { stdout } = await new Cli(engine).run('verify')
    expect(stdout).toContain(`weights.bin: missing (from ${mirror.url})`)
    const { problems } = await engine.open().verify(undefined, { repair: true })
    expect(problems).toMatchObject([{ isRepaired: false, error: expect.stringContaining(mirror.url) }])
    expect(engine.hub.requests).toEqual([])
    expect((await openMirror().verify(undefined, { repair: true })).problems).toMatchObject([{ isRepaired: true }])
    await expect(readFile(blob, 'utf8')).resolves.toBe('EVILEVIL')
  })

  test('keeps the ref for other tools at the first endpoint, and a rename at one endpoint does not affect the other', async () => {
    await engine.open().get('org/name')
    // The repo has another name now at the mirror, but not at the Hub.
    mirror.renameRepo('org/name', 'evil/name')
    expect(await contentsOf(await openMirror().get('org/name'))).toEqual(EVIL)
    expect(await readFile(engine.inCache(REPO, 'refs/main'), 'utf8')).toBe(COMMIT)
    expect(await readFile(engine.inCache(REPO, 'snapshots', COMMIT, 'weights.bin'), 'utf8')).toBe('GENUINE')
    await expectBothWarm()
  })
})

test('the command line names the endpoints of models when there are several', async () => {
  await engine.open().get('org/name')
  const cli = new Cli(engine)
  expect([(await cli.run('ls')).stdout, (await cli.run('status')).stdout].join()).not.toMatch(/endpoint|http/)
  await openMirror().get('org/name')
  const { stdout } = await cli.run('ls', '--sort', 'endpoint')
  expect(stdout).toMatch(/hits +endpoint$/m)
  for (const { url } of [engine.hub, mirror]) {
    expect(stdout).toContain(url)
    expect((await cli.run('status')).stdout).toContain(`${url}: 1`)
  }
  expect((await cli.json(0, 'ls')).models.map(({ endpoint }: { endpoint: string }) => endpoint).sort()).toEqual(
    [engine.hub.url, mirror.url].sort(),
  )
})

test('a name that one endpoint was asked for is not sent to another', async () => {
  const commit = 'b'.repeat(40)
  mirror.addRepo('org/secret', { files: GENUINE, commit })
  await openMirror().get('org/secret')
  // The commit is the same, so the repo could have been renamed.
  engine.hub.addRepo('org/other', { files: GENUINE, commit })
  await engine.open().get('org/other')
  expect([...new Set(engine.hub.requests.map(({ repo }) => repo))]).toEqual(['org/other'])
})

test('stored answers and leases that are links to themselves count as missing', async () => {
  await engine.open().get('org/name')
  const answers = ['refs/main', `about/${COMMIT}.json`, `trees/${COMMIT}.json`]
  const ofRepo = answers.map((path) => engine.inCache(engine.inOrigin('models--org--name', path)))
  const others = [engine.inCache(engine.inOrigin('renames', 'org%2Fname')), engine.inCache('leases', 'run.1-0.json')]
  for (const path of [...ofRepo, ...others]) {
    await mkdir(dirname(path), { recursive: true })
    await rm(path, { force: true })
    await symlink(path, path)
  }
  expect(await contentsOf(await engine.open().get('org/name'))).toEqual(GENUINE)
  const cache = engine.open()
  await cache.maintain()
  expect(await cache.find('org/name')).toHaveLength(1)
  expect(filesAsked(engine.hub)).toHaveLength(3)
})

test('the same commit from a second endpoint needs no download', async () => {
  const other = await startHub()
  onTestFinished(() => other.close())
  other.addRepo('org/name', { files: GENUINE, commit: COMMIT })
  await engine.open().get('org/name')
  const model = await engine.open({ hub: { endpoint: other.url, concurrency: 8 } }).get('org/name')
  expect(await contentsOf(model)).toEqual(GENUINE)
  expect(filesAsked(other)).toEqual([])
  expect(await engine.open().statistics()).toMatchObject({ size: model.bytes })
})

describe('the access to a repo', () => {
  beforeEach(async () => {
    await engine.open().get('org/name')
    await engine.setRecord('org/name', { access: 'unknown' })
    clearRequests()
  })

  test('is asked for once when it is not known', async () => {
    const of = { repo: (await engine.open().get('org/name')).repo, revision: COMMIT }
    expect(engine.hub.requests).toHaveLength(1)
    expect(await engine.open().describe(of, 'weights.bin')).toMatchObject({ access: 'public' })
    expect(await engine.open().file(of, 'weights.bin')).toMatchObject({ access: 'public' })
    expect(engine.hub.requests).toHaveLength(1)
  })

  test('is not asked for offline, and the model is also served when the Hub does not answer', async () => {
    expect(await contentsOf(await engine.open({ offline: true }).get('org/name'))).toEqual(GENUINE)
    expect(engine.hub.requests).toEqual([])
    engine.hub.fault({}, { status: 404 })
    const cache = engine.open()
    for (let times = 0; times < 2; times++) expect(await contentsOf(await cache.get('org/name'))).toEqual(GENUINE)
    expect(engine.hub.requests).toHaveLength(1)
    expect(engine.warnings).toEqual([])
  })
})

/** Writes the files of huggingface_hub (Python): blobs named by their digests, a snapshot of links, a ref. */
async function writeAsPython(files: Record<string, string>, commit = COMMIT): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    const name = path.endsWith('.bin') ? sha256(content) : gitSha1(content)
    const [blob, link] = [engine.inCache(REPO, 'blobs', name), engine.inCache(REPO, 'snapshots', commit, path)]
    for (const each of [blob, link]) await mkdir(dirname(each), { recursive: true })
    await writeFile(blob, content)
    await symlink(`../../blobs/${name}`, link)
  }
  await mkdir(engine.inCache(REPO, 'refs'), { recursive: true })
  await writeFile(engine.inCache(REPO, 'refs/main'), commit)
}

describe('a model that another tool wrote into hub/', () => {
  const PART = { 'config.json': GENUINE['config.json'], 'weights.bin': GENUINE['weights.bin'] }

  beforeEach(async () => {
    // The first download makes the folder a cache with metadata.
    engine.hub.addRepo('org/first', { files: { 'a.txt': 'a' } })
    await engine.open().get('org/first')
    clearRequests()
  })

  test('is listed and counted at once', async () => {
    await writeAsPython(PART)
    const cache = engine.open()
    expect((await cache.list()).map(({ repo, files }) => [repo, files.size])).toContainEqual(['org/name', 2])
    expect(await cache.status()).toMatchObject({ models: 2, files: 3 })
    expect(await cache.statistics()).toMatchObject({ entries: 2 })
    expect((await cache.pin(await cache.find('org/name'))).map(({ repo }) => repo)).toEqual(['org/name'])
    expect((await cache.remove('org/name')).entries).toHaveLength(1)
    expect((await engine.open().list()).map(({ repo }) => repo)).toEqual(['org/first'])
  })

  test('is served offline by the digests in its blob names, and is asked for once when the Hub can be reached', async () => {
    await writeAsPython(PART)
    expect(await contentsOf(await engine.open({ offline: true }).get('org/name'))).toEqual(PART)
    expect((await engine.open().list()).at(-1)).toMatchObject({ repo: 'org/name', endpoint: undefined })
    expect(engine.hub.requests).toEqual([])
    expect(await contentsOf(await engine.open().get('org/name'))).toEqual(GENUINE)
    expect(filesAsked(engine.hub)).toEqual(['same.bin'])
    expect((await engine.open().list()).at(-1)).toMatchObject({ endpoint: engine.hub.url, access: 'public' })
    clearRequests()
    await engine.open().get(`org/name@${COMMIT}`)
    expect(engine.hub.requests).toEqual([])
  })

  test('is neither served nor changed when the Hub states other digests', async () => {
    await writeAsPython({ ...PART, 'weights.bin': 'EVILEVIL' })
    expect(await contentsOf(await engine.open().get('org/name'))).toEqual(GENUINE)
    expect(await readFile(engine.inCache(REPO, 'snapshots', COMMIT, 'weights.bin'), 'utf8')).toBe('EVILEVIL')
    expect((await engine.open().list()).map(({ endpoint }) => endpoint)).toContain(undefined)
    clearRequests()
    expect(await contentsOf(await engine.open({ offline: true }).get('org/name'))).toEqual(GENUINE)
  })

  test('is not served offline by a ref that refers to the entry of another endpoint', async () => {
    await openMirror().get('org/name')
    await expect(engine.open({ offline: true }).get('org/name')).rejects.toMatchObject({ code: 'OFFLINE' })
    await expect(engine.open({ offline: true }).get(`org/name@${COMMIT}`)).rejects.toMatchObject({ code: 'OFFLINE' })
  })
})

describe('a cache of an earlier version', () => {
  /** Moves the stored answers to the earlier places: one folder for the answers of all endpoints, and listings in `hub/`. */
  async function toFormerFormat(): Promise<void> {
    const answers = engine.inCache('origins', originKey(mirror.url))
    await rename(join(answers, 'renames'), engine.inCache('renames'))
    await rename(join(answers, 'models--org--name/trees'), engine.inCache(REPO, 'trees'))
    await rm(engine.inCache('origins'), { recursive: true })
  }

  beforeEach(async () => {
    ofMirror.tag('v1')
    mirror.renameRepo('org/name', 'new/name')
    mirror.renameRepo('new/name', 'org/name')
    await openMirror().warm(['new/name', 'org/name@v1'])
    await toFormerFormat()
    clearRequests()
  })

  test('is trusted for the endpoint that its record names, and for no other', async () => {
    for (const model of ['org/name', 'new/name', 'org/name@v1', { repo: 'org/name', files: ['*.json'] }])
      expect((await openMirror().get(model)).tier).toBe('disk')
    expect(mirror.requests).toEqual([])
    expect(await contentsOf(await engine.open().get('org/name'))).toEqual(GENUINE)
    expect(engine.hub.requests.map(({ kind }) => kind)).toContain('api')
    await expectBothWarm()
  })

  test('keeps all models when its stored answers are moved, and leaves no listing for Python', async () => {
    await engine.open().maintain()
    expect((await engine.listing('hub')).filter((path) => path.includes('/trees/'))).toEqual([])
    // Other tools may change or remove the refs in `hub/`.
    await rm(engine.inCache(REPO, 'refs'), { recursive: true })
    for (const model of ['org/name', 'new/name', 'org/name@v1', { repo: 'org/name', files: ['*.json'] }])
      expect((await openMirror().get(model)).tier).toBe('disk')
    expect(mirror.requests).toEqual([])
  })

  test('keeps the other revisions when the Hub is asked for one again', async () => {
    await openMirror({ maxAge: 0 }).get('org/name')
    clearRequests()
    expect((await openMirror().get('org/name@v1')).tier).toBe('disk')
    expect(mirror.requests).toEqual([])
  })
})

const isRoot = process.geteuid?.() === 0

describe('a cache folder into which others can write', () => {
  /** Another user's changes: a blob named by its digest, and a record and a listing that state this digest. */
  async function tamper(): Promise<void> {
    const [genuine, evil] = [sha256('GENUINE'), sha256('EVILEVIL')]
    const link = engine.inCache(REPO, 'snapshots', COMMIT, 'weights.bin')
    await writeFile(engine.inCache(REPO, 'blobs', evil), 'EVILEVIL')
    await rm(link)
    await symlink(`../../blobs/${evil}`, link)
    const listing = engine.inCache(engine.inOrigin('models--org--name/trees', `${COMMIT}.json`))
    for (const path of [engine.inCache('cache_metadata.json'), listing]) {
      const text = await readFile(path, 'utf8')
      await writeFile(path, text.replaceAll(genuine, evil).replace(/("(?:lfs_)?size": ?)7\b/g, '$18'))
    }
  }

  test('is not trusted: each process asks the Hub once for the digests', async () => {
    await engine.open().get('org/name')
    await chmod(engine.cacheDir, 0o777)
    await tamper()
    clearRequests()
    const cache = engine.open()
    expect(await contentsOf(await cache.get('org/name'))).toEqual(GENUINE)
    expect(engine.hub.requests.filter(({ kind }) => kind === 'api')).toHaveLength(2)
    expect(engine.warnings).toEqual([expect.stringMatching(/every user: each process asks the Hub.*chmod 700/)])
    clearRequests()
    expect((await cache.get('org/name')).tier).toBe('disk')
    expect(engine.hub.requests).toEqual([])
    expect(await contentsOf(await engine.open().get('org/name'))).toEqual(GENUINE)
    expect(filesAsked(engine.hub)).toEqual([])
  })

  test('is served with a warning that nothing was checked when the Hub can not be asked', async () => {
    await engine.open().get('org/name')
    await chmod(engine.cacheDir, 0o777)
    await engine.open({ offline: true }).get('org/name')
    engine.hub.fault({}, { status: 503, retryAfter: 0 })
    await engine.open().get('org/name')
    const unchecked = engine.warnings.filter((warning) => warning.includes('nothing could be checked'))
    expect(unchecked).toHaveLength(2)
    expect(engine.warnings.join()).not.toMatch(/is verified|verifies/)
  })

  test.runIf(isRoot).each<[string, () => Promise<void>]>([
    ['hub/', () => chmod(engine.inCache('hub'), 0o777)],
    ['a repo', () => chmod(engine.inCache(REPO), 0o777)],
    ['a snapshot', () => chmod(engine.inCache(REPO, 'snapshots', COMMIT), 0o777)],
    ['the metadata', () => chmod(engine.inCache('cache_metadata.json'), 0o666)],
    ['the stored answers', () => chmod(engine.inCache('origins'), 0o777)],
    ["an endpoint's answers", () => chmod(engine.inCache(engine.inOrigin()), 0o777)],
    ['hub/ of another user', () => chown(engine.inCache('hub'), 1234, 1234)],
    [
      'a folder of a group',
      async () => {
        await chown(engine.cacheDir, 0, 100)
        await chmod(engine.cacheDir, 0o770)
      },
    ],
  ])('is noticed by the rights of %s', async (_, open) => {
    await engine.open().get('org/name')
    await open()
    clearRequests()
    await engine.open().get('org/name')
    expect(engine.warnings).toEqual([expect.stringContaining('asks the Hub for the digests')])
    expect(engine.hub.requests.length).toBeGreaterThan(0)
  })
})
