import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import { defineRemote } from '../../src/index.ts'
import globalSetup from '../../src/jest/global-setup.ts'
import globalTeardown from '../../src/jest/global-teardown.ts'
import { GLOBAL_TEARDOWN } from '../../src/jest/own-files.ts'
import ModelCacheReporter from '../../src/jest/reporter.ts'
import { startHub } from '../support/hub/index.ts'
import { MemoryRemote } from '../support/memory-remote.ts'
import { removeFolder } from '../support/remove-folder.ts'

/** A run with `--bail` that has begun. `sending`: settles when the end of the run sends a model. It goes on after `send()`. */
async function begin() {
  const [hub, rootDir] = await Promise.all([startHub(), mkdtemp(join(tmpdir(), 'bail '))])
  onTestFinished(async () => {
    vi.unstubAllEnvs()
    await hub.close()
    await removeFolder(rootDir)
  })
  vi.stubEnv('HF_HOME', join(rootDir, 'no other cache'))
  for (const name of ['GITHUB_ACTIONS', 'GITHUB_STEP_SUMMARY', 'CI']) vi.stubEnv(name, undefined)
  hub.addRepo('org/tiny', { files: { 'config.json': '{}' } })
  const calls = join(rootDir, 'calls')
  const hook = `
    import { appendFileSync } from 'node:fs'
    export default () => appendFileSync(${JSON.stringify(calls)}, 'teardown ')
  `
  await writeFile(join(rootDir, 'tear-down.mjs'), hook)
  const store = new MemoryRemote()
  const put = store.put.bind(store)
  let send = () => {}
  const isSent = new Promise<void>((resolve) => {
    send = resolve
  })
  const sending = new Promise<void>((resolve) => {
    store.put = async (...object) => {
      resolve()
      await isSent
      return put(...object)
    }
  })
  const cacheDir = join(rootDir, 'cache')
  const given = { cacheDir, models: ['org/tiny'], hub: { endpoint: hub.url }, report: { outputFile: 'report.json' } }
  const project = {
    ...{ id: 'project', rootDir, globalTeardown: GLOBAL_TEARDOWN, transform: [], transformIgnorePatterns: [] },
    ...{ moduleFileExtensions: ['js', 'mjs'], extensionsToTreatAsEsm: [] },
    testEnvironmentOptions: {
      modelCache: { ...given, remote: defineRemote(store) },
      modelCacheCalls: { globalTeardown: './tear-down.mjs' },
    },
  }
  const config = { rootDir, globalTeardown: GLOBAL_TEARDOWN, maxWorkers: 2, bail: 1, projects: [] }
  await globalSetup(config, project)
  const found = async () => ({
    left: [...(await readdir(join(cacheDir, 'events'))), ...(await readdir(join(cacheDir, 'leases')))],
    report: JSON.parse(await readFile(join(rootDir, 'report.json'), 'utf8')),
    calls: await readFile(calls, 'utf8'),
    sentTwice: store.calls.filter((call) => call.startsWith('put')).length - store.keys.length,
  })
  return { config, sending, send, found, cacheDir }
}

// Jest 30 ends such a run for each result that comes after the failure, and ends this process when the first of these ends has resolved.
test('a run that Jest ends twice at the same time is ended once, and this process waits for that', async () => {
  for (const isReported of [false, true]) {
    const { config, sending, send, found, cacheDir } = await begin()
    expect(await readdir(join(cacheDir, 'events'))).toHaveLength(1)
    const order: string[] = []
    const end = async () => {
      // The command line can replace our reporter.
      if (isReported) await new ModelCacheReporter(config).onRunComplete(undefined, { numFailedTests: 1 })
      await globalTeardown(config)
      order.push('ended')
    }
    const first = end()
    await sending
    const ends = [first, end()]
    await setImmediate()
    order.push('sent')
    send()
    await Promise.race(ends)
    expect(order[0]).toBe('sent')
    expect(await found()).toMatchObject({
      ...{ left: [], calls: 'teardown ', sentTwice: 0 },
      report: { models: [{ repo: 'org/tiny' }] },
    })
    await Promise.all(ends)
  }
})
