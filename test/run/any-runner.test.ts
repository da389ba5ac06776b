import { mkdir, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { resolveOptions } from '../../src/config/options.ts'
import { originals } from '../../src/platform/originals.ts'
import { spent } from '../../src/platform/own-time.ts'
import { endProject } from '../../src/run/end/end-project.ts'
import { finishRun } from '../../src/run/end/finish-run.ts'
import type { FinishedFile } from '../../src/run/end/finished-run.ts'
import { outputTo } from '../../src/run/output.ts'
import { newSession, setOwnMsAside } from '../../src/run/session.ts'
import { addProject } from '../../src/run/start/add-project.ts'
import { handOver, manifestOfRerun } from '../../src/run/start/hand-over.ts'
import { serveChildren } from '../../src/run/start/serve-children.ts'
import { warmUp, warmUpAgain } from '../../src/run/start/warm-up.ts'
import { openWorker } from '../../src/run/worker/worker.ts'
import { Engine } from '../support/engine.ts'
import { startHub } from '../support/hub/index.ts'
import { removeFolder } from '../support/remove-folder.ts'
import { makeRequest } from '../support/request.ts'

// As long as nothing in this test takes.
const MAIN_MS = 1_800_000

/** What passes between the processes of a runner. */
function asJson<Value>(value: Value): Value {
  return JSON.parse(JSON.stringify(value))
}

test('a runner that hands in plain data gets models for its workers, and a report and a record for each run', async () => {
  const [hub, folder] = await Promise.all([startHub(), mkdtemp(join(tmpdir(), 'any runner '))])
  onTestFinished(async () => {
    vi.unstubAllEnvs()
    await hub.close()
    await removeFolder(folder)
  })
  hub.addRepo('org/tiny', { files: { 'config.json': '{}' } })
  vi.stubEnv('HF_HOME', join(folder, 'no other cache'))
  vi.stubEnv('GITHUB_ACTIONS', undefined)
  vi.stubEnv('GITHUB_STEP_SUMMARY', undefined)
  const root = join(folder, 'project')
  await mkdir(root)
  const given = { models: ['org/tiny'], cacheDir: join(folder, 'cache'), hub: { endpoint: hub.url }, intercept: false }

  const [printed, notes]: [string[], string[]] = [[], []]
  const logger = { stream: { isTTY: false, columns: 80 }, printError: (text: string) => void notes.push(text) }
  const session = newSession(outputTo({ ...logger, print: (text) => void printed.push(text) }), true)
  Object.assign(session, { hasReporter: true, isRunning: true })
  const project = addProject(session, 'the only project', { root, options: resolveOptions(given, {}, root) })
  spent('the main process', originals.monotonic() - MAIN_MS, false)
  const manifest = await warmUp(session, project)
  await serveChildren(session, project)
  const settings = asJson(await handOver(session, project, { manifest, filesAtOnce: 1 }))

  setOwnMsAside(session)
  const worker = openWorker(settings, globalThis)
  await worker.ready
  const testFile = join(root, 'a.test.js')
  const runFile = async (): Promise<FinishedFile> => {
    worker.begin(testFile)
    await worker.models.file('org/tiny', 'config.json')
    const report = asJson(worker.end())
    return { project, path: testFile, report, hasPassed: () => true, errors: () => [] }
  }
  const ending = { number: 1, isPartial: () => false }
  const file = await runFile()
  await finishRun(session, { ...ending, files: [file] })
  hub.clearRequests()
  await handOver(session, project, { manifest: manifestOfRerun(manifest), filesAtOnce: 1 })
  await finishRun(session, { ...ending, number: 2, files: [await runFile()] })
  const records = await project.cache.lastRuns(root, 9)
  await worker.disposeAll()
  await endProject(project)

  expect(hub.requests).toEqual([])
  expect(notes).toEqual([])
  expect(printed.join('\n')).toContain('org/tiny')
  expect(printed.join('\n')).toMatch(/plugin overhead (29|30) m \d\d s/)
  expect(file.report?.ownMs).toBeLessThan(MAIN_MS)
  expect(records.map(({ used }) => used)).toMatchObject([
    [{ repo: 'org/tiny', testFiles: ['a.test.js'], files: ['config.json'] }],
    [{ repo: 'org/tiny', testFiles: ['a.test.js'], files: ['config.json'] }],
  ])
})

test('each run warms what its own test files used before, and reruns of a watch session too', async () => {
  const engine = await Engine.start(onTestFinished)
  vi.stubEnv('HF_HOME', join(engine.folder, 'no other cache'))
  vi.stubEnv('GITHUB_STEP_SUMMARY', undefined)
  onTestFinished(() => void vi.unstubAllEnvs())
  for (const repo of ['org/a', 'org/b']) engine.hub.addRepo(repo, { files: { 'config.json': `"${repo}"` } })
  const root = join(engine.folder, 'project')
  const hub = { endpoint: engine.hub.url }
  const options = resolveOptions({ cacheDir: engine.cacheDir, hub, intercept: false, report: false }, {}, root)
  /** A process of a runner. */
  const open = () => {
    const logger = { stream: { isTTY: false, columns: 80 }, print: () => undefined, printError: () => undefined }
    const session = newSession(outputTo(logger), true)
    Object.assign(session, { hasReporter: true, isRunning: true })
    return { session, project: addProject(session, 'project', { root, options }) }
  }
  const run = async ({ session, project }: ReturnType<typeof open>, uses: Record<string, string>) => {
    const files = Object.entries(uses).map(async ([name, repo]): Promise<FinishedFile> => {
      const { commit } = await project.cache.get(repo)
      const request = makeRequest({ repo, commit, files: [['config.json', 7]] })
      const report = { requests: [request], errors: [] }
      return { project, path: join(root, name), report, hasPassed: () => true, isWhole: () => true, errors: () => [] }
    })
    await finishRun(session, { files: await Promise.all(files), number: 1, isPartial: () => false })
  }
  const first = open()
  await run(first, { 'a.test.js': 'org/a', 'b.test.js': 'org/b' })
  await first.project.cache.remove('org/a', 'org/b')
  await endProject(first.project)

  engine.hub.clearRequests()
  const second = open()
  const { session, project } = second
  const asked = () => [...new Set(engine.hub.requests.map(({ repo }) => repo))]
  const manifest = await warmUp(session, project, { files: ['b.test.js'] })
  expect(manifest.models.map(({ repo }) => repo)).toEqual(['org/b'])
  expect(asked()).toEqual(['org/b'])
  await run(second, { 'b.test.js': 'org/b' })
  engine.hub.clearRequests()
  const same = await warmUpAgain(session, project, manifest, { files: ['b.test.js'] })
  expect(same).toEqual(manifestOfRerun(manifest))
  const other = await warmUpAgain(session, project, same, { files: ['a.test.js'] })
  expect(asked()).toEqual(['org/a'])
  expect(other.models.map(({ repo, downloaded }) => [repo, downloaded])).toEqual([
    ['org/a', true],
    ['org/b', false],
  ])
  await endProject(project)
})
