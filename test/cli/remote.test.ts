import { chmod, mkdir, readdir, readFile, realpath, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { printLockFile } from '../../src/model/lock-file.ts'
import { toModel } from '../../src/model/model.ts'
import { parseRepoId } from '../../src/model/repo-id.ts'
import { isCommit } from '../../src/model/revision.ts'
import { blobKey, bundleKey, listingKey, type RemoteModel, refKey, signatureKey } from '../../src/remote/keys.ts'
import { SigningKey } from '../../src/remote/signature.ts'
import { Cli } from '../support/cli.ts'
import { Engine, sha256 } from '../support/engine.ts'
import type { Repository } from '../support/hub/index.ts'

const WEIGHTS = 'w'.repeat(300_000)
const MORE = 'm'.repeat(300_000)
const FILES = { 'config.json': '{"version":1}', 'weights.bin': WEIGHTS, 'more.bin': MORE }
const TOKEN = 'hf_a_token_of_a_test'
const KEY = 'k'.repeat(40)

let engine: Engine
let repository: Repository

beforeEach(async () => {
  engine = await Engine.start(onTestFinished, { token: TOKEN })
  repository = engine.hub.addRepo('org/name', { files: FILES })
})

const share = () => join(engine.folder, 'share')
const machineB = () => ['--cache-dir', join(engine.folder, 'machine B')]

/** The command line over a cache whose remote is a folder. */
function cliWith(env: Record<string, string> = {}): Cli {
  return new Cli(engine, { MODEL_CACHE_REMOTE: pathToFileURL(share()).href, ...env })
}

const inShare = (key: string) => join(share(), key)

async function keysInShare(): Promise<string[]> {
  const entries = await readdir(share(), { recursive: true, withFileTypes: true }).catch(() => [])
  return entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name).slice(share().length + 1))
    .sort()
}

describe('push and pull', () => {
  test('move a model to a machine without the Hub; each says what it does and what it would do', async () => {
    const cli = cliWith()
    await engine.open().get({ repo: 'org/name', files: ['config.json', 'weights.bin'] })
    expect(await cli.run('lock', 'org/name')).toMatchObject({ exitCode: 0 })
    const before = await cli.run('push', '--dry-run')
    expect(before.stdout).toMatch(
      /^✓ org\/name at \w{7} {2}would send 293 KiB\nWould send 293 KiB of 1 of 1 model to file:/,
    )
    expect(await keysInShare()).toEqual([])
    const first = await cli.run('push')
    expect(first).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(
        /^✓ org\/name at \w{7} {2}293 KiB sent\nfile:.+ has 1 of 1 model\. Sent 293 KiB in /,
      ),
    })
    expect(await cli.json(0, 'push', 'org/name')).toMatchObject({
      remote: pathToFileURL(share()).href,
      dryRun: false,
      models: [{ repo: 'org/name', outcome: 'shared', reason: null, presentBytes: 300_013, files: 2 }],
    })

    engine.hub.clearRequests()
    const would = await cli.json(0, 'pull', '--locked', '--dry-run', ...machineB())
    const expected = { files: 3, pulledFiles: 2, pulledBytes: 300_013, presentFiles: 0, lacking: ['more.bin'] }
    expect(would).toMatchObject({ dryRun: true, models: [{ outcome: 'partial', ...expected, error: null }] })
    expect((await cli.json(0, 'ls', ...machineB())).models).toEqual([])
    const pulled = await cli.run('pull', '--locked', ...machineB())
    expect(pulled).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(
        /^! org\/name {2}2 files \(293 KiB\), 1 not on the remote\n {4}more\.bin\nTook 2 files \(293 KiB\) of 1 model from file:/,
      ),
    })
    const again = await cli.run('pull', 'org/name', ...machineB())
    expect(again.stdout).toMatch(/^! org\/name {2}2 already cached, 1 not on the remote\n/)
    const { stdout: path } = await cli.run('path', 'org/name', 'weights.bin', ...machineB())
    expect(await readFile(path, 'utf8')).toBe(WEIGHTS)
    await rm(await realpath(path))
    expect(await cli.run('pull', '--locked', ...machineB())).toMatchObject({ exitCode: 0 })
    expect(await readFile(path, 'utf8')).toBe(WEIGHTS)
    expect(engine.hub.requests).toEqual([])
  })

  test('refuse what is wrong with the call or the set-up, and change nothing', async () => {
    await engine.open().get('org/name')
    const remote = { MODEL_CACHE_REMOTE: `${engine.hub.url}/share` }
    const refusals = await Promise.all([
      new Cli(engine).run('push'),
      new Cli(engine).run('pull', 'org/name'),
      new Cli(engine, remote).run('push'),
      new Cli(engine, { MODEL_CACHE_REMOTE: 'file:share' }).run('push'),
      cliWith({ MODEL_CACHE_REMOTE_KEY: 'short' }).run('push'),
      cliWith().run('push', 'org/other'),
      cliWith().run('pull'),
      cliWith().run('pull', '--locked'),
      cliWith({ GITHUB_ACTIONS: 'true', GITHUB_EVENT_NAME: 'pull_request_target' }).run('push'),
    ])
    expect(refusals.map(({ exitCode }) => exitCode)).toEqual(refusals.map(() => 2))
    const reasons = [
      'Set the option `remote` of this package, or the variable MODEL_CACHE_REMOTE. [INVALID_OPTION]',
      'MODEL_CACHE_REMOTE. [INVALID_OPTION]',
      "It is only read here. No credentials are set with which it could be written: MODEL_CACHE_REMOTE_TOKEN, or MODEL_CACHE_REMOTE_USER and MODEL_CACHE_REMOTE_PASSWORD. Nothing was changed. Where it may be written, set its credentials, or `remote: { url, mode: 'read-write' }`. [REMOTE_UNUSABLE]",
      'MODEL_CACHE_REMOTE',
      'The key has 5 characters',
      'Model org/other',
      'add `--locked`',
      'There is no lock file',
      'It is only read here. This run has code of a fork',
    ]
    for (const [index, { stderr }] of refusals.entries()) expect(stderr).toContain(reasons[index])
    expect(await keysInShare()).toEqual([])
    const models = [await engine.open().state(toModel('org/name'))]
    await writeFile(join(engine.folder, 'models.lock.json'), printLockFile({ models }))
    const other = await cliWith({ HF_ENDPOINT: 'https://other.example' }).run('pull', '--locked')
    expect(other).toMatchObject({
      exitCode: 2,
      stderr: expect.stringMatching(/no model of https:\/\/other\.example, only of/),
    })
  })

  test('name what failed: a private model, a damaged object, an object that is missing, a remote that is down', async () => {
    engine.hub.addRepo('org/secret', { files: { 'config.json': '{}' }, private: true })
    const online = engine.open({ hub: { ...engine.open().context.options.hub, token: TOKEN } })
    for (const name of ['org/name', 'org/secret']) await online.get(name)
    const cli = cliWith()
    const all = await cli.run('push')
    expect(all).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('skipped: It is private, and `uploadPrivate` is not set.'),
    })
    expect((await cli.run('push', 'org/secret')).exitCode).toBe(1)
    const exported = await cli.run('export', join(engine.folder, 'all.tar'))
    expect(exported.stderr).toContain('Not public: org/secret (private). Whoever has the archive can read')

    const weights = inShare(blobKey(`sha256:${sha256(WEIGHTS)}`))
    await chmod(weights, 0o600)
    await writeFile(weights, `x${WEIGHTS.slice(1)}`)
    const damaged = await cli.run('pull', 'org/name', ...machineB())
    expect(damaged).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('! org/name  2 files (293 KiB), 1 not on the remote\n    weights.bin'),
      stderr: expect.stringContaining('An object of the remote'),
    })
    await rm(share(), { recursive: true })
    const absent = await cli.json(1, 'pull', 'org/name', '--cache-dir', join(engine.folder, 'machine C'))
    expect(absent).toMatchObject({ models: [{ outcome: 'absent', pulledFiles: 0, error: null }] })
    const down = await cliWith({ MODEL_CACHE_REMOTE: 'file:///no such/mount/share' }).json(
      1,
      'pull',
      'org/name',
      ...machineB(),
    )
    expect(down).toMatchObject({ models: [{ outcome: 'failed', error: { code: 'REMOTE_UNUSABLE' } }] })
  })
})

const keyId = new SigningKey(KEY).id

function modelAt({ commit }: Repository, name = 'org/name'): RemoteModel {
  if (!isCommit(commit)) throw new Error(commit)
  return { endpoint: engine.hub.url, repo: parseRepoId(name), commit }
}

test('`remote status` and `doctor` say whether the remote answers, what it has, and what is not sent yet', async () => {
  engine.hub.addRepo('org/secret', { files: { 'config.json': '{}' }, private: true })
  const online = engine.open({ hub: { ...engine.open().context.options.hub, token: TOKEN } })
  await online.get('org/name')
  await online.get('org/secret')
  const cli = cliWith()
  const before = await cli.json(0, 'remote', 'status')
  expect(before).toMatchObject({
    ...{ mode: 'read-write', modeReason: null, isReachable: true, failure: null, canList: true, keyId: null },
    models: [
      { repo: 'org/name', files: 3, presentFiles: 0, isListed: false, isSigned: null, notSent: null },
      { repo: 'org/secret', notSent: 'It is private, and `uploadPrivate` is not set.' },
    ],
    pending: { models: 1, bytes: 600_013 },
  })
  await cli.run('push')
  const { stdout } = await cli.run('remote', 'status')
  expect(stdout).toContain('none: what the remote states is not signed')
  expect(stdout).toMatch(/models {5}1 of 2 cached models there in full\npending {4}none\n/)
  expect(stdout).toMatch(/org\/name +\w{7} +3 of 3 +586 KiB of 586 KiB +yes\n/)

  const signing = cliWith({ MODEL_CACHE_REMOTE_KEY: KEY })
  expect((await signing.json(0, 'remote', 'status')).models[0]).toMatchObject({ presentFiles: 3, isSigned: false })
  await signing.run('push')
  expect(await signing.json(0, 'remote', 'status')).toMatchObject({
    ...{ keyId, models: [{ isListed: true, isSigned: true }, {}], pending: { models: 0, bytes: 0 } },
  })
  // Without the Hub and without a lock file, the signed answer says what the model is.
  const offline = cliWith({ MODEL_CACHE_REMOTE_KEY: KEY, MODEL_CACHE_OFFLINE: '1' })
  expect((await offline.json(0, 'pull', 'org/name', ...machineB())).models).toMatchObject([
    { repo: 'org/name', commit: repository.commit, pulledFiles: 3, outcome: 'complete' },
  ])
  const doctor = await signing.run('doctor')
  expect(doctor.stdout).toMatch(
    /✓ remote +file:.+ answers in [\d.]+ ms; mode read-write, signed with the key [0-9a-f]{16}$/,
  )

  const wrong = { MODEL_CACHE_REMOTE: 'http://127.0.0.1:1/share' }
  const [down, ill, none, short] = await Promise.all([
    cliWith(wrong).run('remote', 'status'),
    cliWith(wrong).run('doctor'),
    cliWith({ MODEL_CACHE_REMOTE: 'off' }).run('doctor'),
    cliWith({ MODEL_CACHE_REMOTE_KEY: 'short' }).run('doctor'),
  ])
  expect(down).toMatchObject({
    exitCode: 1,
    stdout: expect.stringMatching(/mode {7}read: No credentials .+\nanswers {4}no\nfailure {4}http:/),
  })
  expect(ill.exitCode).toBe(1)
  expect(ill.stdout).toMatch(/✗ remote +http:\/\/127\.0\.0\.1:1\/share .+ → Check the address, the network/)
  expect(none.stdout).toMatch(/✓ remote +none/)
  expect(short.stdout).toMatch(/✗ remote +.+The key has 5 characters/)
})

test('`remote prune` removes what was last written long ago, after a question, and nothing that is not ours', async () => {
  const cli = cliWith({ MODEL_CACHE_REMOTE_KEY: KEY })
  const other = engine.hub.addRepo('org/other', {
    files: { 'config.json': '{"other":1}', 'b.bin': 'b'.repeat(300_000) },
  })
  for (const name of ['org/name', 'org/other']) await engine.open().get(name)
  await cli.run('push')
  const model = modelAt(repository)
  const [weights, more] = [WEIGHTS, MORE].map((content) => blobKey(`sha256:${sha256(content)}`))
  const old = [weights, bundleKey(model), listingKey(model)].map((key) => inShare(key ?? ''))
  const strange = ['blobs/sha256/notes.txt', 'models/README', 'refs/x', 'other/file', 'blobs/sha256/ab/.tmp'].map(
    inShare,
  )
  for (const file of strange) {
    await mkdir(join(file, '..'), { recursive: true })
    await writeFile(file, 'not ours')
  }
  const longAgo = (Date.now() - 31 * 86_400_000) / 1000
  for (const file of [...old, ...strange]) await utimes(file, longAgo, longAgo)
  const before = await keysInShare()

  const would = await cli.json(0, 'remote', 'prune', '--older-than', '30d', '--dry-run')
  const removed = { bundle: { objects: 1 }, listing: { objects: 1 }, signature: { objects: 1 }, ref: { objects: 1 } }
  expect(would).toMatchObject({
    dryRun: true,
    objects: 5,
    removed: { blob: { objects: 1, bytes: 300_000 }, ...removed },
  })
  const [asked, readOnly, noAge, badAge] = await Promise.all([
    cli.run('remote', 'prune', '--older-than', '30d'),
    cliWith({ MODEL_CACHE_REMOTE: 'http://127.0.0.1:1/x' }).run('remote', 'prune', '--older-than', '30d', '--yes'),
    cli.run('remote', 'prune'),
    cli.run('remote', 'prune', '--older-than', '30'),
  ])
  expect([asked, readOnly, noAge, badAge].map(({ exitCode }) => exitCode)).toEqual([2, 2, 2, 2])
  expect(asked.stderr).toContain('what was last written more than 30d ago: 5 objects (')
  expect(readOnly.stderr).toContain('It is only read here.')
  expect(noAge.stderr).toContain(
    "required option '--older-than <duration>' not specified\nSee `npx vitest-model-cache remote prune --help`.",
  )
  expect(badAge.stderr).toContain('Write a duration such as 7d, 12h or 30m.')
  expect(await keysInShare()).toEqual(before)

  const done = await cli.run('remote', 'prune', '--older-than', '30d', '--yes')
  expect(done).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(
      /^Removed from file:.+: 5 objects \(29\d KiB; 1 model file, 1 bundle of small files, 1 list of files, 1 signature, 1 ref\)\nKept 6 objects .+\nLeft alone, because vitest-model-cache did not write them: \d objects$/,
    ),
  })
  const gone = [
    weights,
    bundleKey(model),
    listingKey(model),
    signatureKey(model, keyId),
    refKey({ ...model, revision: 'main' }, keyId),
  ]
  expect(await keysInShare()).toEqual(before.filter((key) => !gone.includes(key)))
  expect(await keysInShare()).toEqual(expect.arrayContaining([more, listingKey(modelAt(other, 'org/other'))]))
  expect((await cli.run('remote', 'prune', '--older-than', '30d')).stdout).toMatch(/^There is nothing to remove/)
  expect(await cli.run('push', 'org/name')).toMatchObject({
    exitCode: 0,
    stdout: expect.stringContaining('293 KiB sent'),
  })
  const names = await cli.run('remote', 'prun')
  expect(names).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining("unknown command 'prun'. Did you mean prune?"),
  })
})
