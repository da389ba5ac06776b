import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { Manifest } from '../../src/cache/context/manifest.ts'
import { resolveOptions } from '../../src/config/options.ts'
import { endProject } from '../../src/run/end/end-project.ts'
import { finishRun } from '../../src/run/end/finish-run.ts'
import { learn } from '../../src/run/end/learn.ts'
import { manifestFile } from '../../src/run/manifest-file.ts'
import { outputTo } from '../../src/run/output.ts'
import { newSession } from '../../src/run/session.ts'
import { addProject } from '../../src/run/start/add-project.ts'
import { handOver, manifestOfRerun } from '../../src/run/start/hand-over.ts'
import { warmUp } from '../../src/run/start/warm-up.ts'
import { openWorker } from '../../src/run/worker/worker.ts'
import { Engine } from '../support/engine.ts'

const MEGABYTE = 1 << 20
const USES = { 'large.test.js': 'org/large', 'small.test.js': 'org/small', 'none.test.js': undefined }

/** A run of test files, with a Hub and a history of `USES`. */
async function open({ models = [] as string[], isWatching = false, files = Object.keys(USES) } = {}) {
  const engine = await Engine.start(onTestFinished)
  vi.stubEnv('HF_HOME', join(engine.folder, 'no other cache'))
  vi.stubEnv('GITHUB_STEP_SUMMARY', undefined)
  onTestFinished(() => void vi.unstubAllEnvs())
  engine.hub.addRepo('org/small', { files: { 'weights.bin': 'small' } })
  engine.hub.addRepo('org/large', { files: { 'weights.bin': Buffer.alloc(8 * MEGABYTE, 'large') } })
  engine.hub.addRepo('org/program', { files: { 'weights.bin': 'read by a program' } })
  const root = join(engine.folder, 'project')
  const hub = { endpoint: engine.hub.url }
  const given = { models, cacheDir: engine.cacheDir, hub, intercept: false as const, report: false as const }
  const notes: string[] = []
  const note = (text: string) => void notes.push(text)
  const logger = { stream: { isTTY: false, columns: 80 }, print: () => undefined, printError: note }
  const session = newSession(outputTo(logger), isWatching)
  Object.assign(session, { hasReporter: true, isRunning: true })
  const project = addProject(session, 'project', { root, options: resolveOptions(given, {}, root) })
  project.history = learn(new Map(), {
    files: Object.keys(USES).map((testFile) => ({ testFile, isWhole: true })),
    uses: Object.entries(USES).flatMap(([testFile, repo]) =>
      repo ? { testFile, repo, revision: 'main', selection: '{}', bytes: repo === 'org/small' ? 5 : 8 * MEGABYTE } : [],
    ),
  })
  onTestFinished(() => endProject(project))
  const warm = (patienceMs?: number) => warmUp(session, project, { files }, { canPrefetch: true, patienceMs })
  /** A worker. `beforeTests`: what takes time between the warm-up and the first test file. */
  const workerOf = async (beforeTests: () => Promise<void> = async () => undefined) => {
    const manifest = await warm()
    const settings = JSON.parse(JSON.stringify(await handOver(session, project, { manifest, filesAtOnce: 2 })))
    await beforeTests()
    project.prefetch?.testsBegan()
    return openWorker(settings, globalThis, {})
  }
  const finish = () => finishRun(session, { files: [], number: 1, isPartial: () => true })
  const recorded = () => session.warmUps.map(({ prefetch }) => prefetch)
  return { engine, session, project, root, notes, warm, workerOf, finish, recorded }
}

/** A promise that is settled from outside. */
function gate() {
  let open: () => void = () => undefined
  const until = new Promise<void>((resolve) => {
    open = resolve
  })
  return { until, open }
}

test('a test file waits for the models that it needs, and a new one for all', async () => {
  const files = ['new.test.js', ...Object.keys(USES)]
  const { engine, project, root, workerOf, session } = await open({ files })
  const [small, large] = [gate(), gate()]
  engine.hub.fault({ repo: 'org/small', kind: 'resolve' }, { until: small.until })
  engine.hub.fault({ repo: 'org/large', kind: 'resolve' }, { until: large.until })
  const worker = await workerOf()
  expect(files.map((file) => project.prefetch?.rankOf(file))).toEqual([2, 2, 1, 0])
  const begun: string[] = []
  const begin = async (file: string) => {
    await worker.awaitModels(join(root, file))
    begun.push(file)
  }
  await begin('none.test.js')
  const others = ['new.test.js', 'large.test.js'].map(begin)
  small.open()
  await begin('small.test.js')
  expect(begun).toEqual(['none.test.js', 'small.test.js'])
  large.open()
  await Promise.all(others)

  // The worker has the manifest, and what the warm-up downloaded is a miss of this run.
  expect(worker.manifest.models.map(({ repo, downloaded }) => [repo, downloaded])).toEqual([
    ['org/small', true],
    ['org/large', true],
  ])
  engine.hub.clearRequests()
  worker.begin(join(root, 'large.test.js'))
  await worker.models.path('org/large')
  expect(worker.end().requests).toMatchObject([{ tier: 'disk', downloadMs: null, warmedInThisRun: true }])
  expect(engine.hub.requests).toEqual([])
  await project.prefetch?.endTests(session.isWatching)
  expect(session.warmUps).toMatchObject([
    { prefetch: { models: ['org/small', 'org/large'], unfinished: [] }, models: [{ tier: 'hub' }, { tier: 'hub' }] },
  ])
})

test('a download that fails lets its test files begin, and the test gets the error', async () => {
  const { engine, root, workerOf, project, recorded } = await open()
  const failing = gate()
  engine.hub.fault({ repo: 'org/large', kind: 'resolve' }, { until: failing.until })
  engine.hub.fault({ repo: 'org/large', kind: 'resolve' }, { status: 404 })
  const worker = await workerOf()
  const waits = worker.awaitModels(join(root, 'large.test.js'))
  failing.open()
  await waits
  engine.hub.clearRequests()
  await expect(worker.models.path('org/large')).rejects.toThrow(/org\/large/)
  expect(engine.hub.requests).toEqual([])
  await worker.awaitModels(join(root, 'small.test.js'))
  await project.prefetch?.endTests(false)
  expect(recorded()).toMatchObject([{ unfinished: [] }])
})

test('a run that is cancelled waits for no model, ends its downloads, and the next one continues them', async () => {
  const { engine, root, workerOf, project, session, finish } = await open()
  const mend = engine.hub.fault({ repo: 'org/large', origin: 'cdn' }, { stallAfter: 6 * MEGABYTE })
  const worker = await workerOf()
  const waits = worker.awaitModels(join(root, 'large.test.js'))
  await vi.waitFor(async () => expect(await readdir(engine.inCache('incoming'))).not.toEqual([]))
  await worker.awaitModels(join(root, 'small.test.js'))
  project.prefetch?.release()
  await waits
  const [record] = session.warmUps
  await finish()
  expect(record?.prefetch).toMatchObject({ unfinished: ['org/large'] })
  await engine.hub.idle()
  mend()
  expect((await engine.open().get('org/large')).tier).toBe('hub')
})

test('what arrives between the warm-up and the start of the workers is in the manifests of workers and of child processes', async () => {
  const { engine, project, session, warm } = await open()
  const large = gate()
  engine.hub.fault({ repo: 'org/small', kind: 'resolve' }, { until: large.until })
  engine.hub.fault({ repo: 'org/large', kind: 'resolve' }, { until: large.until })
  engine.hub.fault({ repo: 'org/large', kind: 'resolve' }, { status: 404 })
  const manifest = await warm()
  large.open()
  await vi.waitFor(() => expect(project.prefetch?.rankOf('new.test.js')).toBe(0), 30_000)
  const handedOver = async (manifest: Manifest) => {
    const settings = await handOver(session, project, { manifest, filesAtOnce: 2 })
    const ofChildren: Manifest = JSON.parse(await readFile(manifestFile(settings.events), 'utf8'))
    expect(settings).toMatchObject({ arrivals: undefined, manifest: ofChildren })
    return ofChildren
  }
  const { models, failures } = await handedOver(manifest)
  expect(models).toMatchObject([{ repo: 'org/small', downloaded: true }])
  expect(failures).toMatchObject([{ repo: 'org/large' }])

  // The next run downloads again what failed.
  project.prefetch = undefined
  expect(await handedOver(manifestOfRerun({ models: [], failures }))).toEqual({ models: [], failures: [] })
})

test('between the runs of watch mode the downloads go on', async () => {
  const { engine, workerOf, project, session, finish, recorded, root } = await open({ isWatching: true })
  const large = gate()
  engine.hub.fault({ repo: 'org/large', kind: 'resolve' }, { until: large.until })
  await (await workerOf()).awaitModels(join(root, 'small.test.js'))
  const [record] = session.warmUps
  await finish()
  expect(record?.prefetch).toMatchObject({ unfinished: ['org/large'] })

  const manifest = await project.prefetch?.manifestOfRerun({ files: ['large.test.js'] })
  expect(manifest?.models.map(({ repo, downloaded }) => [repo, downloaded])).toEqual([['org/small', false]])
  const given = { manifest: manifest ?? { models: [], failures: [] }, filesAtOnce: 1 }
  const settings = await handOver(session, project, given)
  project.prefetch?.testsBegan()
  const worker = openWorker(settings, globalThis, {})
  // What the run before downloaded is no miss of this one.
  await worker.awaitModels(join(root, 'small.test.js'))
  expect(worker.manifest.models.map(({ repo, downloaded }) => [repo, downloaded])).toEqual([['org/small', false]])
  const waits = worker.awaitModels(join(root, 'large.test.js'))
  large.open()
  await waits
  expect(worker.manifest.models.map(({ repo, downloaded }) => [repo, downloaded])).toEqual([
    ['org/small', false],
    ['org/large', true],
  ])
  await project.prefetch?.endTests(true)
  expect(recorded()).toMatchObject([{ models: ['org/large'], unfinished: [] }])
})

test('what arrives while other projects are set up does not count as ahead', async () => {
  const { engine, workerOf, project, recorded } = await open()
  const large = gate()
  engine.hub.fault({ repo: 'org/large', kind: 'resolve' }, { until: large.until })
  await workerOf(async () => {
    large.open()
    await vi.waitFor(() => expect(project.prefetch?.rankOf('new.test.js')).toBe(0), 30_000)
  })
  await project.prefetch?.endTests(false)
  expect(recorded()).toEqual([undefined])
})

test('the tests wait for what no test file was seen to use, and for models that all of them need', async () => {
  const program = await open({ models: ['org/program'] })
  const held = gate()
  program.engine.hub.fault({ repo: 'org/program', kind: 'resolve' }, { until: held.until })
  let hasBegun = false
  const begins = program.warm().then(() => {
    hasBegun = true
  })
  await program.engine.hub.waitForRequest({ repo: 'org/program', kind: 'resolve' })
  expect(hasBegun).toBe(false)
  held.open()
  await begins

  const all = await open({ files: ['large.test.js'] })
  const { models } = await all.warm()
  expect(models.map(({ repo }) => repo)).toEqual(['org/large'])
  expect(all.project.prefetch).toBeUndefined()
})

test('nothing is prepared if all models are cached', async () => {
  const { engine, project, warm } = await open()
  for (const repo of ['org/small', 'org/large']) await engine.open().get(repo)
  expect((await warm()).models).toHaveLength(2)
  expect(project).not.toHaveProperty('prefetch')
  expect(project).not.toHaveProperty('events')
})

test('tests wait for a Hub that does not answer only if its models are declared', async () => {
  const silent = gate()
  onTestFinished(silent.open)
  const { engine, project, warm, notes } = await open({ files: ['large.test.js'] })
  engine.hub.fault({ repo: 'org/large' }, { until: silent.until })
  expect(await warm(100)).toEqual({ models: [], failures: [] })
  expect(project).not.toHaveProperty('prefetch')
  expect(notes.join()).toMatch(/The Hub at .* does not answer\. Tests do not wait for .*: org\/large\.$/)

  const declared = await open({ models: ['org/program'] })
  for (const repo of ['org/small', 'org/large', 'org/program'])
    declared.engine.hub.fault({ repo }, { until: silent.until })
  let hasBegun = false
  const begins = declared.warm(100).finally(() => {
    hasBegun = true
  })
  await vi.waitFor(() => expect(declared.notes).toHaveLength(1))
  expect(hasBegun).toBe(false)
  silent.open()
  expect(await begins).toMatchObject({ models: [{ repo: 'org/program' }], failures: [] })
  // A test that requests another one asks the Hub itself.
  expect((await declared.engine.open().get('org/large')).tier).toBe('hub')
})
