import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { getPriority } from 'node:os'
import { fileURLToPath } from 'node:url'
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { Layout } from '../../src/cache/store/layout.ts'
import { withLock } from '../../src/cache/store/locks/lock.ts'
import { stopMaintenance } from '../../src/cache/store/locks/stop-maintenance.ts'
import { maintainBriefly } from '../../src/cache/upkeep/maintenance/maintain-briefly.ts'
import { resolveOptions } from '../../src/config/options.ts'
import { parseRepoId } from '../../src/model/repo-id.ts'
import { outputToStderr } from '../../src/run/output.ts'
import { newSession } from '../../src/run/session.ts'
import { addProject } from '../../src/run/start/add-project.ts'
import { Cli } from '../support/cli.ts'
import { Consumer } from '../support/consumer.ts'
import { Engine } from '../support/engine.ts'
import type { Repository } from '../support/hub/index.ts'
import { removeFolder } from '../support/remove-folder.ts'

// The built program, which the end of a run starts.
const PROGRAM = fileURLToPath(new URL('../../dist/run/end/maintenance.js', import.meta.url))
const LONG_AGO = '2020-01-01T00:00:00.000Z'
// The time that a run has would be too short on a busy machine.
const AT_END = { isOver: true, isFollowed: true, withinMs: 60_000 }
const DAY_MS = 86_400_000

let engine: Engine
const repositories = new Map<string, Repository>()

beforeEach(async () => {
  engine = await Engine.start(onTestFinished)
  for (const name of ['org/used', 'org/idle']) {
    const files = { 'config.json': '{}', 'weights.bin': 'w'.repeat(5000) }
    repositories.set(name, engine.hub.addRepo(name, { files }))
    await engine.open().get(name)
  }
})

/** Starts the process that goes on after a run, and returns it with its end. */
function startProcess(options: object = {}): { child: ChildProcess; ended: Promise<unknown[]> } {
  const limits = { offline: false, maxSize: 2 ** 31, maxAge: 7 * DAY_MS, packAfter: DAY_MS }
  const cache = { cacheDir: engine.cacheDir, hub: { endpoint: engine.hub.url }, ...limits, ...options }
  const env = { VITEST_MODEL_CACHE_TASK: JSON.stringify({ cache, run: 'over-1-abcdef', isOver: true }) }
  const child = spawn(process.execPath, [PROGRAM], { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  const told: unknown[] = []
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => told.push(String(chunk)))
  onTestFinished(async () => void child.kill('SIGKILL'))
  return { child, ended: once(child, 'exit').then(([code, signal]) => [code ?? signal, ...told]) }
}

async function isPacked(repo: string): Promise<unknown> {
  return (await engine.records()).find((record) => record.repo === repo)?.isCompressed
}

describe('the end of a run', () => {
  test('expires models, and leaves packing and then evicting to a process that goes on', async () => {
    engine.hub.addRepo('org/old', { files: { 'config.json': '{"old":true}' } })
    await engine.open().get('org/old')
    await engine.setRecord('org/old', { lastAccessDate: LONG_AGO })
    await engine.setRecord('org/idle', { lastAccessDate: new Date(Date.now() - 2 * DAY_MS).toISOString() })
    const settings = { packAfter: DAY_MS, maxSize: 9000 }
    const brief = await maintainBriefly(engine.open(settings).context, AT_END)
    expect(brief).toMatchObject({ expired: [{ repo: 'org/old' }], evicted: [], isLeft: true })
    const { maintenance } = await engine.open(settings).status()
    expect(maintenance).toMatchObject({
      ...{ completedAt: null, toExpire: { models: 0 }, toPack: { models: 1, bytes: 5002 }, toEvict: { models: 1 } },
    })

    const { ended } = startProcess(settings)
    expect(await ended).toEqual([0])
    // Packed, both models fit.
    expect(await isPacked('org/idle')).toBe(true)
    expect((await engine.open().list()).map(({ repo }) => repo)).toEqual(['org/idle', 'org/used'])
    const after = await engine.open(settings).status()
    expect(after.maintenance).toMatchObject({ toPack: { models: 0, bytes: 0 }, toEvict: { models: 0 } })
    expect(Date.now() - Date.parse(after.maintenance.completedAt ?? '')).toBeLessThan(3_600_000)
    expect(await engine.listing('incoming')).toEqual([])
  })

  test('leaves nothing to a process that could do no more than the last one', async () => {
    await engine.setRecord('org/idle', { lastAccessDate: LONG_AGO })
    const cache = engine.open({ packAfter: DAY_MS, maxAge: 1e13 })
    expect((await maintainBriefly(cache.context, AT_END)).isLeft).toBe(true)
    await writeFile(engine.inCache('maintenance.json'), JSON.stringify({ completedAt: new Date().toISOString() }))
    expect((await maintainBriefly(cache.context, AT_END)).isLeft).toBe(false)
    // A clock that was set back is no reason to wait.
    await writeFile(engine.inCache('maintenance.json'), '{"completedAt":"2999-01-01T00:00:00.000Z"}')
    expect((await maintainBriefly(cache.context, AT_END)).isLeft).toBe(true)
  })

  test('without another process, makes progress on a slow disk, packs nothing, and is complete only after an upload', async () => {
    await engine.setRecord('org/idle', { lastAccessDate: LONG_AGO })
    const cache = engine.open({ packAfter: DAY_MS, maxAge: 1e13 })
    const alone = { isOver: true, isFollowed: false, withinMs: 60_000 }
    expect(await maintainBriefly(cache.context, { ...alone, isOver: false, isLast: false })).toMatchObject({
      entries: [],
    })
    expect(existsSync(engine.inCache('maintenance.json'))).toBe(false)
    await maintainBriefly(cache.context, alone)
    expect(await isPacked('org/idle')).toBeFalsy()
    expect(existsSync(engine.inCache('maintenance.json'))).toBe(true)
    // A run with another process has it pack now, and not only after an hour.
    expect((await maintainBriefly(cache.context, AT_END)).isLeft).toBe(true)
    // The time is over before the first step.
    const late = await maintainBriefly(engine.open().context, { ...alone, withinMs: 0 })
    expect(late).toMatchObject({ entries: [{ repo: 'org/idle' }], isLeft: false })
  })

  test('leaves all to a process if the time is over before the first step', async () => {
    await engine.setRecord('org/idle', { lastAccessDate: LONG_AGO })
    expect((await maintainBriefly(engine.open().context, { ...AT_END, withinMs: 0 })).isLeft).toBe(true)
  })

  test('maintenance that is stopped while it packs does not count as complete', async () => {
    await engine.setRecord('org/idle', { lastAccessDate: LONG_AGO })
    const layout = new Layout(engine.cacheDir)
    const controller = new AbortController()
    await withLock(layout.coldLock, async () => {
      const work = engine.open({ packAfter: DAY_MS, maxAge: 1e13 }).maintain({ signal: controller.signal })
      work.catch(() => undefined)
      await vi.waitUntil(() => existsSync(layout.lock(parseRepoId('org/idle'))), { timeout: 30_000, interval: 5 })
      controller.abort()
      await expect(work).rejects.toThrow()
    })
    expect(existsSync(engine.inCache('maintenance.json'))).toBe(false)
  })

  test('the lock of the background process is removed only in a cache folder, and not through a link', async () => {
    const layout = new Layout(engine.cacheDir)
    await removeFolder(layout.incoming)
    await mkdir(`${engine.folder}/elsewhere`)
    await symlink(`${engine.folder}/elsewhere`, layout.incoming, 'junction')
    await writeFile(layout.backgroundLock, '')
    stopMaintenance(layout)
    expect(existsSync(layout.backgroundLock)).toBe(true)
  })

  test('does nothing while another process maintains the cache', async () => {
    await engine.setRecord('org/idle', { lastAccessDate: LONG_AGO })
    await withLock(new Layout(engine.cacheDir).maintenanceLock, async () => {
      expect(await maintainBriefly(engine.open().context, AT_END)).toMatchObject({ entries: [], isLeft: false })
    })
    expect(await maintainBriefly(engine.open().context, AT_END)).toMatchObject({ entries: [{ repo: 'org/idle' }] })
  })

  test('waits for another process that maintains the cache, as `optimize` does, and holds it off meanwhile', async () => {
    await engine.setRecord('org/idle', { lastAccessDate: LONG_AGO })
    const layout = new Layout(engine.cacheDir)
    let works: Promise<unknown>[] = []
    await withLock(layout.maintenanceLock, async (hold) => {
      stopMaintenance(layout)
      expect(hold.isOurs()).toBe(true)
      works = [engine.open().optimize(), engine.open().maintain()]
      // Without the lock, both would be done by now.
      await engine.open({ maxAge: 1e13 }).optimize({ dryRun: true })
      expect(await engine.open().list()).toHaveLength(2)
    })
    await Promise.all(works)
    expect((await engine.open().list()).map(({ repo }) => repo)).toEqual(['org/used'])
  })

  test('`status` says what is left to do', async () => {
    await engine.setRecord('org/idle', { lastAccessDate: LONG_AGO })
    const { stdout } = await new Cli(engine).run('status')
    expect(stdout).toMatch(/maintained +not yet · 1 model to expire \(4.88 KiB\)/)
    await engine.open().maintain()
    expect((await new Cli(engine).run('status')).stdout).toMatch(/maintained +\d+ ?\w+ ago$/m)
  })
})

describe('the process that goes on after a run', () => {
  /** Has the process wait in the middle of packing a model, because this process holds the lock of the pack files. */
  async function whilePacking(work: (ended: Promise<unknown[]>, child: ChildProcess) => Promise<void>): Promise<void> {
    await engine.setRecord('org/idle', { lastAccessDate: LONG_AGO })
    const layout = new Layout(engine.cacheDir)
    await withLock(layout.coldLock, async () => {
      const { child, ended } = startProcess({ maxAge: 1e13 })
      // It packs under this lock.
      await vi.waitUntil(() => existsSync(layout.lock(parseRepoId('org/idle'))), { timeout: 30_000, interval: 5 })
      await work(ended, child)
    })
  }

  test.each([
    ['a run claims a model', () => claimInRun('org/used')],
    ['a run begins', async () => beginRun()],
    ['the session that started it begins another run', async (child: ChildProcess) => void child.kill()],
    ['a download needs the lock of the repo', () => getNewRevision('org/idle')],
    ['a command asks for it', async () => stopMaintenance(new Layout(engine.cacheDir))],
  ])('stops when %s, and loses nothing', async (_, ask) => {
    await whilePacking(async (ended, child) => {
      await ask(child)
      expect(await ended).toEqual([0])
    })
    expect(await isPacked('org/idle')).toBe(false)
    engine.hub.clearRequests()
    expect((await engine.open().get('org/idle')).tier).toBe('disk')
    expect(engine.hub.requests).toEqual([])
    // On a busy machine the process is given up, and its locks stay. They hold up nobody.
    await engine.setRecord('org/idle', { lastAccessDate: LONG_AGO })
    await engine.open({ maxAge: 1e13, packAfter: DAY_MS }).maintain()
    expect(await isPacked('org/idle')).toBe(true)
  })

  test.runIf(process.platform === 'linux')('has a low priority, in all threads and as a session', async () => {
    await whilePacking(async (_, { pid }) => {
      const threads = await readdir(`/proc/${pid}/task`)
      expect(threads.length).toBeGreaterThan(2)
      expect(new Set(threads.map((thread) => getPriority(Number(thread))))).toEqual(new Set([10]))
      // The file is empty where the system knows no priority of sessions.
      const session = await readFile(`/proc/${pid}/autogroup`, 'utf8').catch(() => '')
      expect(session).toMatch(/^$|^\/autogroup-\d+ nice 10\n$/)
    })
  })

  test('ends when the cache folder is removed, and does not make it again', async () => {
    await whilePacking(async (ended) => {
      // A file that the process has just made is in the way of the removal.
      await removeFolder(engine.cacheDir)
      expect(await ended).toEqual([0])
      expect(await readdir(engine.folder, { recursive: true })).toEqual([])
    })
  })

  test('does not begin while a run uses the cache, nor in a folder that is no cache', async () => {
    await engine.setRecord('org/idle', { lastAccessDate: LONG_AGO })
    await claimInRun('org/used')
    expect(await startProcess().ended).toEqual([0])
    expect(await engine.open().list()).toHaveLength(2)
    const { ended } = startProcess({ cacheDir: engine.folder })
    expect(await ended).toEqual([0])
    expect(await readdir(engine.folder)).toEqual(['cache'])
  })
})

/** What a run does before it knows its tests. */
function beginRun(): void {
  const options = resolveOptions({ cacheDir: engine.cacheDir }, {}, engine.folder)
  addProject(newSession(outputToStderr(), false), 'project', { root: engine.folder, options })
}

async function getNewRevision(name: string): Promise<void> {
  repositories.get(name)?.addCommit({ files: { 'config.json': '{"new":true}' } })
  await engine.open({ maxAge: 0 }).get(name)
}

async function claimInRun(repo: string): Promise<void> {
  const run = engine.open({ run: { id: 'live-1-abcdef', pid: process.pid } })
  await run.get(repo)
  onTestFinished(() => run.endRun())
}

test('a run leaves work to a process that outlives it, gets none of its settings, and is not started in CI', async () => {
  await engine.setRecord('org/idle', { lastAccessDate: LONG_AGO })
  const project = await Consumer.create({
    files: {
      'vitest.config.mjs': `
        import { modelCache } from 'vitest-model-cache'
        export default { plugins: [modelCache({ models: ['org/used'], maxAge: 1e13, packAfter: '1d' })] }`,
      'a.test.mjs': `
        import { expect, test } from 'vitest'
        test('uses a model', async () => {
          const { status } = await fetch('https://huggingface.co/org/used/resolve/main/config.json')
          expect(status).toBe(200)
        })`,
    },
  })
  const env = { HF_ENDPOINT: engine.hub.url, MODEL_CACHE_DIR: engine.cacheDir, NODE_OPTIONS: '--title=ours' }
  const inCi = await project.vitest([], { ...env, MODEL_CACHE_MAINTENANCE: undefined, CI: '1' })
  expect(inCi.exitCode, inCi.output).toBe(0)
  expect(existsSync(engine.inCache('incoming/~maintenance.lock'))).toBe(false)
  const run = await project.vitest([], { ...env, MODEL_CACHE_MAINTENANCE: 'background' })
  expect(run.exitCode, run.output).toBe(0)
  const isMarked = () => existsSync(engine.inCache('maintenance.json'))
  await vi.waitUntil(async () => isMarked() && (await isPacked('org/idle')), { timeout: 30_000, interval: 50 })
  expect(JSON.parse(await readFile(engine.inCache('maintenance.json'), 'utf8'))).toHaveProperty('completedAt')
})
