import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { ModelCache } from '../../src/cache/index.ts'
import { printLockFile } from '../../src/model/lock-file.ts'
import { toModel } from '../../src/model/model.ts'
import { configSource } from '../support/config-source.ts'
import { Consumer } from '../support/consumer.ts'
import { startModelsHub } from '../support/models-hub.ts'
import { FaultyServer } from '../support/remote/faulty-server.ts'
import { removeFolder } from '../support/remove-folder.ts'

const NAMES = ['org/declared', 'org/in-forks', 'org/in-vm']
const TOKEN = 'the-token'
const { hub, env } = await startModelsHub([])
for (const name of NAMES)
  hub.addRepo(name, { files: { 'name.txt': name, 'weights.bin': name.repeat(50_000) }, lfsThreshold: 1000 })

const MSW = `
  import { http, HttpResponse } from 'msw'
  import { setupServer } from 'msw/node'
  const server = setupServer(http.all('*', () => HttpResponse.json({ by: 'the suite' }, { status: 418 })))
`
const hostile = (repo: string) => `
  import { readFileSync } from 'node:fs'
  import { expect, test, vi } from 'vitest'
  ${MSW}
  vi.mock('node:http')
  vi.mock('node:https')
  vi.useFakeTimers()
  server.listen()
  test('asks', async ({ models }) => {
    expect(readFileSync((await models.path('${repo}')) + '/name.txt', 'utf8')).toBe('${repo}')
    expect(await (await fetch('https://other.example/')).json()).toEqual({ by: 'the suite' })
  })
`

test('a suite whose mocks answer every request, and whose timers stand still, restores from a web server', async () => {
  const server = await FaultyServer.start(onTestFinished)
  const remote = { url: `${server.url}/models`, timeoutMs: 60_000, uploadPrivate: false }
  const folder = await mkdtemp(join(tmpdir(), 'first machine '))
  onTestFinished(() => removeFolder(folder))
  const first = new ModelCache({
    ...{ cacheDir: folder, remote, hub: { endpoint: hub.url, concurrency: 8 }, offline: false },
    ...{ maxSize: 2 ** 31, maxAge: 86_400_000, env: { ...env, MODEL_CACHE_REMOTE_TOKEN: TOKEN } },
  })
  await first.warm(NAMES)
  expect((await first.push()).map(({ outcome }) => outcome)).toEqual(NAMES.map(() => 'shared'))
  const models = await Promise.all(NAMES.map((name) => first.state(toModel(name))))
  const project = (name: string, pool: string) =>
    `{ extends: true, test: { name: '${name}', include: ['${name}.test.ts'], pool: '${pool}' } }`
  const consumer = await Consumer.create({
    files: {
      'vitest.config.ts': configSource(
        { models: ['org/declared'] },
        `globalSetup: ['./mocked.ts'], projects: [${project('forks', 'forks')}, ${project('vm', 'vmThreads')}]`,
      ),
      'mocked.ts': `${MSW} export const setup = () => server.listen()`,
      'forks.test.ts': hostile('org/in-forks'),
      'vm.test.ts': hostile('org/in-vm'),
      'models.lock.json': printLockFile({ models }),
    },
  })
  await hub.stopListening()
  hub.clearRequests()
  const run = await consumer.vitest([], { ...env, MODEL_CACHE_REMOTE: remote.url, MODEL_CACHE_REMOTE_TOKEN: TOKEN })
  expect(run.exitCode, run.output).toBe(0)
  expect(run.report, run.output).toMatchObject({ misses: 0, errors: [], tiers: { remote: 2 }, downloadedBytes: 0 })
  expect(hub.requests).toEqual([])
  expect(run.output).not.toContain(TOKEN)
})
