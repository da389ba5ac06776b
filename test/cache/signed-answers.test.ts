import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { CacheOptions, ModelCache } from '../../src/cache/index.ts'
import { parseRepoId } from '../../src/model/repo-id.ts'
import { isCommit } from '../../src/model/revision.ts'
import { blobKey, listingKey, type RemoteModel, refKey, signatureKey } from '../../src/remote/keys.ts'
import { parseListing, printListing } from '../../src/remote/listing.ts'
import { printRef } from '../../src/remote/refs.ts'
import { printSignature, SigningKey } from '../../src/remote/signature.ts'
import { contentsOf, Engine, refusalOf, sha256 } from '../support/engine.ts'
import type { Repository } from '../support/hub/index.ts'

const WEIGHTS = 'w'.repeat(300_000)
const FILES = { 'config.json': '{"version":1}', 'weights.bin': WEIGHTS }
const KEY = 'k'.repeat(40)
const key = new SigningKey(KEY)

let engine: Engine
let repository: Repository

/** Another machine has pushed a model into the shared folder. */
beforeEach(async () => {
  engine = await Engine.start(onTestFinished)
  repository = engine.hub.addRepo('org/name', { files: FILES })
  await mkdir(shared())
  await open('A', { offline: false }).get('org/name')
  await open('A').push()
  engine.hub.clearRequests()
})

const shared = (...parts: string[]) => join(engine.folder, 'share', ...parts)

/** Opens the cache of a machine, without the Hub. */
function open(
  machine: string,
  { withKey = KEY, ...options }: Partial<CacheOptions> & { withKey?: string } = {},
): ModelCache {
  return engine.open({
    cacheDir: join(engine.folder, machine),
    remote: { url: pathToFileURL(shared()).href, timeoutMs: 60_000, uploadPrivate: false },
    env: { HF_HOME: join(engine.folder, 'no login'), MODEL_CACHE_REMOTE_KEY: withKey },
    offline: true,
    ...options,
  })
}

function modelAt(commit = repository.commit): RemoteModel {
  if (!isCommit(commit)) throw new Error(commit)
  return { endpoint: engine.hub.url, repo: parseRepoId('org/name'), commit }
}

const mainKey = () => refKey({ ...modelAt(), revision: 'main' }, key.id)

/** Replaces an object of the shared folder, as an attacker with the right to write could. */
async function replace(at: string, content: Uint8Array | string | undefined): Promise<void> {
  await rm(shared(at), { force: true })
  await mkdir(dirname(shared(at)), { recursive: true })
  if (content !== undefined) await writeFile(shared(at), content)
}

test('an empty machine gets a model while the Hub is down, by name and by commit, and again without the remote', async () => {
  await engine.hub.stopListening()
  const online = open('B', { offline: false })
  const model = await online.get('org/name')
  expect(model).toMatchObject({ commit: repository.commit, tier: 'remote' })
  expect(await contentsOf(model)).toEqual(FILES)
  expect(engine.warnings).toEqual([
    expect.stringMatching(
      /^org\/name: the Hub could not be asked, so the signed answer in file:\S+ is used: commit \w{7}\./,
    ),
  ])
  expect(await open('C').get(`org/name@${repository.commit}`)).toMatchObject({ tier: 'remote' })
  expect(await open('B', { remote: undefined }).get('org/name')).toMatchObject({
    commit: repository.commit,
    tier: 'disk',
  })
})

test('another project asks the Hub later, and downloads nothing again', async () => {
  await open('B').get('org/name')
  const entries = await open('B').list()
  expect(entries).toMatchObject([{ endpoint: undefined, access: 'public' }])
  expect((await open('B', { remote: undefined, offline: false }).get('org/name')).tier).toBe('disk')
  expect(engine.hub.requests.map(({ kind }) => kind)).toContain('api')
  expect(engine.filesAsked).toEqual([])
  expect(await open('B').list()).toMatchObject([{ endpoint: engine.hub.url }])
})

describe('is not believed, and the error says why:', () => {
  const other = new SigningKey('o'.repeat(40))
  const evil = `sha256:${sha256('evil')}` as const
  const listingOf = async () => parseListing(await readFile(shared(listingKey(modelAt()))))
  /** The listing with another file in place of the weights, which the store has. */
  async function evilListing(): Promise<Uint8Array> {
    const listing = await listingOf()
    const files = new Map(
      [...listing.files].map(([path, file]) => [
        path,
        path === 'config.json' ? file : { ...file, digest: evil, size: 4 },
      ]),
    )
    await replace(blobKey(evil), 'evil')
    return printListing({ ...listing, files })
  }

  test.each<[string, RegExp, () => Promise<void>, string?]>([
    ['a remote, without a key', /MODEL_CACHE_REMOTE_KEY is not set/, async () => undefined, ''],
    [
      'what was signed with another key',
      /has no ref of main that is signed with our key/,
      async () => undefined,
      'o'.repeat(40),
    ],
    ['a key that is too short', /MODEL_CACHE_REMOTE_KEY: The key has 5 characters/, async () => undefined, 'short'],
    [
      'an unsigned list of files',
      /is not signed with our key/,
      () => replace(signatureKey(modelAt(), key.id), undefined),
    ],
    [
      'a changed list of files',
      /the signature of its list of the files of commit \w+ is wrong/,
      async () => replace(listingKey(modelAt()), await evilListing()),
    ],
    [
      'a list that is signed with another key',
      /signature .* is wrong/,
      async () => {
        const listing = await evilListing()
        await replace(listingKey(modelAt()), listing)
        await replace(signatureKey(modelAt(), key.id), printSignature(other, listing))
      },
    ],
    ['a removed list', /has no list of the files/, () => replace(listingKey(modelAt()), undefined)],
    ['an endless list', /is wrong|larger than/, () => replace(listingKey(modelAt()), Buffer.alloc(33 << 20))],
    ['a damaged ref', /not valid JSON/, () => replace(mainKey(), '{')],
    [
      'a ref that is signed with another key',
      /Its signature is wrong/,
      () => replace(mainKey(), printRef({ ...modelAt(), revision: 'main', atMs: Date.now() }, other)),
    ],
    [
      'the ref of another revision',
      /the ref of main in it is that of something else/,
      () => replace(mainKey(), printRef({ ...modelAt(), revision: 'v2', atMs: Date.now() }, key)),
    ],
    [
      'the signed list of another model',
      /is that of another model/,
      async () => {
        const listing = printListing({ ...(await listingOf()), repo: parseRepoId('org/other') })
        await replace(listingKey(modelAt()), listing)
        await replace(signatureKey(modelAt(), key.id), printSignature(key, listing))
      },
    ],
    [
      'a model that is not public',
      /not public, and only the Hub can say who may read it/,
      async () => {
        const listing = printListing({ ...(await listingOf()), access: 'gated' })
        await replace(listingKey(modelAt()), listing)
        await replace(signatureKey(modelAt(), key.id), printSignature(key, listing))
      },
    ],
  ])('%s', async (_, why, attack, withKey = KEY) => {
    await attack()
    const refusal = await refusalOf(open('B', { withKey }).get('org/name'))
    expect(refusal.code).toBe('OFFLINE')
    expect(refusal.reason).toMatch(/^It is not in the cache, and the cache is offline\. The remote did not help: /)
    expect(refusal.reason).toMatch(why)
    expect(refusal.message).not.toContain(KEY)
    expect(await engine.listing('../B/hub').catch(() => [])).toEqual([])
  })
})

test('an old ref that is put in place of a newer one is not used by a cache that knows the newer answer', async () => {
  const old = await readFile(shared(mainKey()))
  const commit = repository.addCommit({ files: { ...FILES, 'config.json': '{"version":2}' } })
  await open('A', { offline: false, maxAge: 0 }).get('org/name')
  await open('A').push()
  await replace(mainKey(), old)
  // A cache that knows nothing can't notice.
  expect((await open('C').get('org/name')).commit).not.toBe(commit)
  // This cache knows the commit, and not its files.
  await open('B').prepare()
  const known = engine.inOrigin('models--org--name', 'refs')
  await cp(join(engine.folder, 'A', known), join(engine.folder, 'B', known), {
    recursive: true,
    preserveTimestamps: true,
  })
  expect(await open('B').get('org/name')).toMatchObject({ commit, tier: 'remote' })
})

test('a Hub that answers is believed, and not the remote: a repo that is gone is gone', async () => {
  const refusal = await refusalOf(open('B', { offline: false }).get('org/gone'))
  expect(refusal).toMatchObject({ code: 'MODEL_NOT_FOUND', reason: expect.not.stringContaining('remote') })
})

test('of a remote that fails, the error does not say that it lacks something', async () => {
  const url = pathToFileURL(join(engine.folder, 'not mounted/share')).href
  const gone = open('B', { remote: { url, timeoutMs: 60_000, uploadPrivate: false } })
  const { reason } = await refusalOf(gone.get('org/name'))
  expect(reason).toMatch(/The remote did not help: .*There is no folder/)
  expect(reason).not.toContain('has no ref')
})
