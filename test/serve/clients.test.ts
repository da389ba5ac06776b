import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { downloadFile, listFiles, modelInfo, snapshotDownload } from '@huggingface/hub'
import { execa } from 'execa'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { contentsOf, Engine } from '../support/engine.ts'
import type { Repository } from '../support/hub/index.ts'
import { python } from '../support/python.ts'
import { TestServing } from '../support/serving.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

let engine: Engine
let repository: Repository
let server: TestServing
beforeEach(async () => {
  // Each listing has several pages.
  engine = await Engine.start(onTestFinished, { treePageSize: 3 })
  ;({ repository } = await engine.addEmbeddings('org/embeddings'))
  repository.branch('feature/x')
  server = await TestServing.start(engine, onTestFinished, { pullThrough: true })
})

/** The contents of the repo's files by path, from the folder of a snapshot. */
async function contentsBelow(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = entries.filter((entry) => !entry.isDirectory()).map(({ parentPath, name }) => join(parentPath, name))
  const contents = paths.map(async (path) => [path.slice(folder.length + 1), await readFile(path, 'latin1')])
  return Object.fromEntries(await Promise.all(contents))
}

async function original(): Promise<Record<string, string>> {
  return contentsOf(
    await engine.open({ cacheDir: join(engine.folder, 'plain') }).get({ repo: 'org/embeddings', files: ['**'] }),
  )
}

test('this package downloads from it, and finds the server later at the same address', async () => {
  const hub = { endpoint: server.url, concurrency: 8 }
  const client = engine.open({ cacheDir: join(engine.folder, 'client'), hub })
  const got = await client.get({ repo: 'org/embeddings', revision: 'feature/x', files: ['**'] })
  expect(got.commit).toBe(repository.commit)
  expect(await contentsOf(got)).toEqual(await original())
  expect(await client.verify()).toMatchObject({ problems: [] })
})

test('@huggingface/hub reads the info, lists and downloads files, and makes a snapshot', async () => {
  const at = { hubUrl: server.url, repo: 'org/embeddings' }
  const info = await modelInfo({ name: at.repo, hubUrl: at.hubUrl, additionalFields: ['sha', 'author'] })
  expect(info).toMatchObject({ name: at.repo, sha: repository.commit, private: false, task: 'feature-extraction' })
  const listed: string[] = []
  for await (const { path, type } of listFiles({ ...at, recursive: true, expand: true }))
    if (type === 'file') listed.push(path)
  const contents = await original()
  expect(listed).toEqual(Object.keys(contents).sort())
  const config = await downloadFile({ ...at, path: 'config.json' })
  expect(await config?.text()).toBe(contents['config.json'])
  expect(await downloadFile({ ...at, path: 'none.json' })).toBeNull()
  expect(await (await downloadFile({ ...at, path: 'config.json', raw: true }))?.text()).toBe(contents['config.json'])
  const folder = await snapshotDownload({ ...at, cacheDir: join(engine.folder, 'snapshots') })
  expect(await contentsBelow(folder)).toEqual(contents)
  await expect(modelInfo({ name: 'org/none', hubUrl: at.hubUrl })).rejects.toMatchObject({ statusCode: 401 })
})

test('transformers.js loads a model from it by `env.remoteHost`', async () => {
  const script = `
    const { env, pipeline } = await import('@huggingface/transformers')
    Object.assign(env, { remoteHost: process.argv[1], cacheDir: process.argv[2] })
    const extract = await pipeline('feature-extraction', 'org/embeddings', { dtype: 'fp32' })
    console.log(JSON.stringify((await extract('A dog', { pooling: 'mean' })).dims))`
  const args = ['--input-type=module', '--eval', script, server.url, join(engine.folder, 'transformers')]
  const { stdout } = await execa(process.execPath, args, { cwd: ROOT })
  expect(JSON.parse(stdout)).toEqual([1, expect.any(Number)])
  expect(server.lines).toContain('GET /org/embeddings/resolve/main/onnx/model.onnx 200')
})

describe('huggingface_hub of Python', () => {
  test('gets what it reads of each answer: the requests of version 2.0', async () => {
    const agent = { 'User-Agent': 'unknown/None; hf_hub/2.0.0; python/3.11.7', 'Accept-Encoding': 'identity' }
    const path = '/org/embeddings/resolve/main/onnx/model.onnx'
    const head = await server.ask(path, agent, 'HEAD')
    expect(head).toMatchObject({ status: 200, headers: { 'x-repo-commit': repository.commit } })
    expect(head.headers['x-linked-etag']).toMatch(/^"[0-9a-f]{64}"$/)
    expect(Number(head.headers['x-linked-size'])).toBeGreaterThan(10_000)
    expect(head.headers).not.toHaveProperty('x-xet-hash')
    expect(head.headers).not.toHaveProperty('location')
    const rest = await server.ask(path, { ...agent, Range: 'bytes=1000-' })
    expect(rest).toMatchObject({
      status: 206,
      headers: { 'content-length': String(Number(head.headers['x-linked-size']) - 1000) },
    })
    const info = JSON.parse((await server.ask('/api/models/org/embeddings/revision/main', agent)).body)
    const tree = `/api/models/org/embeddings/tree/${info.sha}?recursive=True&expand=False`
    const files = JSON.parse((await server.ask(tree, agent)).body)
    expect(files).toContainEqual({
      ...{ type: 'file', path: 'onnx/model.onnx', size: expect.any(Number), oid: expect.any(String) },
      lfs: { oid: expect.any(String), size: expect.any(Number), pointerSize: expect.any(Number) },
    })
    const missing = await server.ask('/org/embeddings/resolve/main/none.json', agent, 'HEAD')
    expect(missing).toMatchObject({ status: 404, headers: { 'x-error-code': 'EntryNotFound' } })
  })

  test.skipIf(!python)('downloads a file and a snapshot, lists files, and raises its own errors', async () => {
    const script = `
import sys, json
from huggingface_hub import HfApi, hf_hub_download, snapshot_download
from huggingface_hub.errors import EntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError
repo, api, raised = 'org/embeddings', HfApi(), []
info = api.model_info(repo, files_metadata=True)
for ask in [lambda: hf_hub_download(repo, 'none.json'), lambda: hf_hub_download('org/none', 'config.json'),
            lambda: hf_hub_download(repo, 'config.json', revision='none')]:
    try: ask()
    except (EntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError) as error: raised.append(type(error).__name__)
print(json.dumps({
  'sha': info.sha, 'task': info.pipeline_tag, 'sizes': sum(file.size for file in info.siblings),
  'paths': [file.path for file in api.list_repo_tree(repo, recursive=True, expand=True) if hasattr(file, 'size')],
  'infos': [file.path for file in api.get_paths_info(repo, ['config.json', 'onnx'], expand=True)],
  'config': open(hf_hub_download(repo, 'config.json')).read(), 'snapshot': snapshot_download(repo), 'raised': raised,
}))`
    const env = { HF_ENDPOINT: server.url, HF_HOME: join(engine.folder, 'python'), HF_HUB_DISABLE_PROGRESS_BARS: '1' }
    const { stdout } = await execa(python ?? '', ['-c', script], { env })
    const contents = await original()
    const said = JSON.parse(stdout)
    expect(said).toMatchObject({
      ...{ sha: repository.commit, task: 'feature-extraction', infos: ['config.json', 'onnx'] },
      ...{ paths: Object.keys(contents).sort(), config: contents['config.json'] },
      raised: ['RemoteEntryNotFoundError', 'RepositoryNotFoundError', 'RevisionNotFoundError'],
    })
    expect(said.sizes).toBe(Object.values(contents).reduce((sum, text) => sum + text.length, 0))
    expect(await contentsBelow(said.snapshot)).toEqual(contents)
  })

  test.skipIf(!python)(
    'finds nothing of a packed model in the cache, downloads it beside, and finds the others',
    async () => {
      engine.hub.addRepo('org/whole', { files: { 'config.json': '{}', 'weights.bin': 'w' }, lfsThreshold: 1 })
      const models = ['org/embeddings', 'org/whole'].map((repo) => ({ repo, files: ['**'] }))
      // Python asks the server, so the cache has to have its models from there.
      const cacheDir = join(engine.folder, 'beside')
      const open = () => engine.open({ cacheDir, hub: { endpoint: server.url, concurrency: 8 } })
      await open().warm(models)
      expect(await open().pack(['org/embeddings'])).toMatchObject([{ bytes: expect.any(Number) }])
      const script = `
import json
from huggingface_hub import scan_cache_dir, snapshot_download, try_to_load_from_cache
from huggingface_hub.errors import LocalEntryNotFoundError
def here(repo):
    try: return snapshot_download(repo, local_files_only=True)
    except LocalEntryNotFoundError: return None
def scan(): return [sorted(repo.repo_id for repo in scan_cache_dir().repos), [str(each) for each in scan_cache_dir().warnings]]
print(json.dumps({'packed': [here('org/embeddings'), try_to_load_from_cache('org/embeddings', 'config.json'), scan()],
  'whole': here('org/whole'), 'again': snapshot_download('org/embeddings'), 'then': scan()}))`
      const env = { HF_ENDPOINT: server.url, HF_HUB_CACHE: join(cacheDir, 'hub'), HF_HUB_DISABLE_PROGRESS_BARS: '1' }
      const { stdout } = await execa(python ?? '', ['-c', script], { env })
      const said = JSON.parse(stdout)
      expect(said.packed).toEqual([null, null, [['org/whole'], []]])
      expect(await contentsBelow(said.whole)).toEqual({ 'config.json': '{}', 'weights.bin': 'w' })
      expect(await contentsBelow(said.again)).toEqual(await original())
      expect(said.then).toEqual([['org/embeddings', 'org/whole'], []])
      for (const model of models) expect(await open().get(model)).toMatchObject({ downloadedBytes: 0 })
      await open().maintain()
      expect(await open().verify()).toMatchObject({ entries: 2, problems: [] })
    },
  )
})
