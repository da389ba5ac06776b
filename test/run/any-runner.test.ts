import { mkdir, mkdtemp, rm } from 'node:fs/promises'
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
import { warmUp } from '../../src/run/start/warm-up.ts'
import { openWorker } from '../../src/run/worker/worker.ts'
import { startHub } from '../support/hub/index.ts'

// As long as nothing in this test takes.
const MAIN_MS = 3_600_000

/** What passes between the processes of a runner. */
function asJson<Value>(value: Value): Value {
  return JSON.parse(JSON.stringify(value))
}

test('a runner that hands in plain data gets models for its workers, and a report and a record for each run', async () => {
  const [hub, folder] = await Promise.all([startHub(), mkdtemp(join(tmpdir(), 'any runner '))])
  onTestFinished(async () => {
    vi.unstubAllEnvs()
    await hub.close()
    await rm(folder, { recursive: true, force: true })
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
  const settings = asJson(handOver(session, project, { manifest, filesAtOnce: 1 }))

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
  handOver(session, project, { manifest: manifestOfRerun(manifest), filesAtOnce: 1 })
  await finishRun(session, { ...ending, number: 2, files: [await runFile()] })
  const records = await project.cache.lastRuns(root, 9)
  await worker.disposeAll()
  await endProject(project)

  expect(hub.requests).toEqual([])
  expect(notes).toEqual([])
  expect(printed.join('\n')).toContain('org/tiny')
  expect(printed.join('\n')).toMatch(/plugin overhead \d+ m/)
  expect(file.report?.ownMs).toBeLessThan(MAIN_MS)
  expect(records.map(({ used }) => used)).toMatchObject([
    [{ repo: 'org/tiny', testFiles: ['a.test.js'], files: ['config.json'] }],
    [{ repo: 'org/tiny', testFiles: ['a.test.js'], files: ['config.json'] }],
  ])
})
