import { chmod, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { parseRepoId } from '../../src/model/repo-id.ts'
import { isCommit } from '../../src/model/revision.ts'
import { blobKey } from '../../src/remote/keys.ts'
import { Cli } from '../support/cli.ts'
import { Engine, sha256 } from '../support/engine.ts'
import type { Repository } from '../support/hub/index.ts'

const WEIGHTS = 'w'.repeat(300_000)
const MORE = 'm'.repeat(300_000)
const FILES = { 'config.json': '{"version":1}', 'weights.bin': WEIGHTS, 'more.bin': MORE }
const TOKEN = 'hf_a_token_of_a_test'
const _KEY = 'k'.repeat(40)

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

function _model({ commit } = repository) {
  if (!isCommit(commit)) throw new Error(commit)
  return { endpoint: engine.hub.url, repo: parseRepoId('org/name'), commit }
}

const _at = () => `org/name at ${repository.commit.slice(0, 7)}`

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
    expect(engine.hub.requests).toEqual([])
    const { stdout: path } = await cli.run('path', 'org/name', 'weights.bin', ...machineB())
    expect(await readFile(path, 'utf8')).toBe(WEIGHTS)
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
      'Set the option `remote` in the Vitest config, or the variable MODEL_CACHE_REMOTE. [INVALID_OPTION]',
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
