import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { resolveOptions } from '../../src/config/options.ts'
import { defineRemote } from '../../src/index.ts'
import { RemoteError } from '../../src/remote/store.ts'
import { endProject } from '../../src/run/end/end-project.ts'
import { finishRun } from '../../src/run/end/finish-run.ts'
import { outputTo } from '../../src/run/output.ts'
import type { Project } from '../../src/run/project.ts'
import { newSession, type Session } from '../../src/run/session.ts'
import { addProject } from '../../src/run/start/add-project.ts'
import { warmUp } from '../../src/run/start/warm-up.ts'
import { type Hub, startHub } from '../support/hub/index.ts'
import { MemoryRemote } from '../support/memory-remote.ts'
import { removeFolder } from '../support/remove-folder.ts'

let hub: Hub
let folder: string
let store: MemoryRemote
const notes: string[] = []

beforeEach(async () => {
  hub = await startHub()
  folder = await mkdtemp(join(tmpdir(), 'upload after a run '))
  onTestFinished(async () => {
    vi.unstubAllEnvs()
    await hub.close()
    await removeFolder(folder)
  })
  vi.stubEnv('HF_HOME', join(folder, 'no other cache'))
  for (const name of ['GITHUB_ACTIONS', 'GITHUB_STEP_SUMMARY', 'CI']) vi.stubEnv(name, undefined)
  hub.addRepo('org/one', { files: { 'one.bin': '1'.repeat(300_000) } })
  hub.addRepo('org/two', { files: { 'two.bin': '2' } })
  await mkdir(join(folder, 'project'))
  store = new MemoryRemote()
  notes.length = 0
})

/** A runner's session with one project, whose tests use two models. */
function start({ isWatching = false, ...options }: { isWatching?: boolean; remote?: unknown; maxSize?: string } = {}) {
  const logger = { stream: { isTTY: false, columns: 80 }, print: () => undefined }
  // Where sending takes longer than 3 s, as on a busy machine, a line tells of its start.
  const note = (text: string) => text.startsWith('[model-cache] Sending ') || notes.push(text)
  const session = newSession(outputTo({ ...logger, printError: (text) => void note(text) }), isWatching)
  Object.assign(session, { hasReporter: true, isRunning: true })
  const root = join(folder, 'project')
  const models = ['org/one', 'org/two']
  const given = { models, cacheDir: join(folder, 'cache'), hub: { endpoint: hub.url }, intercept: false, ...options }
  const project = addProject(session, 'project', { root, options: resolveOptions(given, {}, root) })
  onTestFinished(async () => {
    session.stopUpload()
    await endProject(project)
  })
  return { session, project }
}

async function run({ session, project }: { session: Session; project: Project }, number = 1): Promise<void> {
  await warmUp(session, project)
  await finishRun(session, { files: [], number, isPartial: () => false })
}

const blobs = () => store.keys.filter((key) => key.startsWith('blobs'))
const listings = () => store.keys.filter((key) => key.endsWith('listing.json'))

test('what a run downloaded from the Hub is sent to the remote, with one line of output; the next run sends nothing', async () => {
  const runner = start({ remote: defineRemote(store) })
  await run(runner)
  expect(listings()).toHaveLength(2)
  expect(blobs()).toHaveLength(1)
  expect(notes).toEqual([expect.stringMatching(/^\[model-cache\] Sent 2 models to memory \(293 KiB, .*\)\.$/)])
  store.calls.length = 0
  await run(start({ remote: defineRemote(store) }))
  expect(store.calls).toEqual([])
  expect(notes).toHaveLength(1)
})

test('a model that is larger than the cache may be is sent before it is removed', async () => {
  const runner = start({ remote: defineRemote(store), maxSize: '100KB' })
  await run(runner)
  expect(blobs()).toHaveLength(1)
  expect((await runner.project.cache.list()).map(({ repo }) => repo)).toEqual(['org/two'])
})

test('a remote that fails or hangs costs the time limit at most, one line, and no failure', async () => {
  Object.assign(store, { put: async () => Promise.reject(new RemoteError('full', 'memory: no room')) })
  await run(start({ remote: defineRemote(store) }))
  expect(notes).toEqual([
    expect.stringMatching(
      /Sent 0 models .* Not sent: org\/one, org\/two\. memory: no room\. Continue with `npx vitest-model-cache push`\./,
    ),
  ])
  notes.length = 0
  await removeFolder(join(folder, 'cache'))
  Object.assign(store, { put: () => new Promise(() => undefined) })
  const hanging = start({ remote: defineRemote(store) })
  Object.assign(hanging.project.options.remote ?? {}, { timeoutMs: 50 })
  await run(hanging)
  expect(notes).toEqual([
    expect.stringMatching(/Not sent: org\/one, org\/two\. It was not sent within 50 ms\. Continue/),
  ])
})

test('a remote that refuses to be written costs one warning, and nobody is told to try again', async () => {
  Object.assign(store, { put: async () => Promise.reject(new RemoteError('denied', 'memory: answered with HTTP 403')) })
  await run(start({ remote: defineRemote(store) }))
  expect(notes).toEqual([
    expect.stringMatching(/memory: answered with HTTP 403\. This process only reads from the remote now\.$/),
  ])
})

test('a run that may not write sends nothing, and says nothing', async () => {
  vi.stubEnv('GITHUB_ACTIONS', 'true')
  vi.stubEnv('GITHUB_EVENT_NAME', 'pull_request_target')
  vi.stubEnv('GITHUB_EVENT_PATH', join(folder, 'event.json'))
  const [head, base] = ['stranger/app', 'team/app'].map((name) => ({ repo: { full_name: name } }))
  await writeFile(join(folder, 'event.json'), JSON.stringify({ pull_request: { head, base } }))
  await run(start({ remote: defineRemote(store) }))
  expect(store.keys).toEqual([])
  expect(store.calls.filter((call) => call.startsWith('put'))).toEqual([])
  vi.stubEnv('GITHUB_ACTIONS', undefined)
  await removeFolder(join(folder, 'cache'))
  await run(start({ remote: { url: `${hub.url}/remote`, timeout: '1s' } }))
  expect(notes.filter((note) => /Sen[dt]/.test(note))).toEqual([])
})

test('in watch mode nobody waits for the upload, the next run stops it, and it is continued after that run', async () => {
  let begun: () => void = () => undefined
  const hasBegun = new Promise<void>((resolve) => {
    begun = resolve
  })
  const put = store.put.bind(store)
  let signal: AbortSignal | undefined
  store.put = (_, __, options) => {
    signal = options.signal
    begun()
    return new Promise(() => undefined)
  }
  const runner = start({ isWatching: true, remote: defineRemote(store) })
  await run(runner)
  await hasBegun
  // The runner begins the next run.
  runner.session.stopUpload()
  expect(notes).toEqual([])
  expect(signal?.aborted).toBe(true)
  store.put = put
  await run(runner, 2)
  await vi.waitFor(() => expect(notes).toHaveLength(1), { timeout: 20_000 })
  expect(listings()).toHaveLength(2)
  expect(notes[0]).toContain('Sent 2 models')
})
