import type { ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, expect, onTestFinished, test, vi } from 'vitest'
import { configSource } from '../support/config-source.ts'
import { Consumer } from '../support/consumer.ts'
import { sha256 } from '../support/engine.ts'
import { incompleteBytes } from '../support/incomplete.ts'
import { startModelsHub } from '../support/models-hub.ts'
import type { ProjectFolder } from '../support/project-folder.ts'

const REPO = 'org/large'
const MEGABYTE = 1 << 20
const WEIGHTS = randomBytes(10 * MEGABYTE)
const FILE = { origin: 'cdn', kind: 'cdn' } as const

const { hub, env } = await startModelsHub([])
const { commit } = hub.addRepo(REPO, { files: { 'weights.bin': WEIGHTS } })
let mend: () => void = () => undefined
afterEach(() => mend())

const TEST = `
  import { expect, test } from 'vitest'
  test('asks', async ({ models }) => { expect(await models.path('${REPO}')).toContain('${commit}') })
`

async function createConsumer(models: string[], test = ''): Promise<ProjectFolder> {
  const files = { 'vitest.config.ts': configSource({ models }, test), 'a.test.ts': TEST }
  const consumer = await Consumer.create({ files })
  // The Hub sends no more, so the download is unfinished until the process is interrupted.
  mend = hub.fault(FILE, { stallAfter: 5 * MEGABYTE })
  return consumer
}

/** Interrupts a process after some megabytes. Returns its exit code, or the signal that ended it. */
async function interrupt(
  consumer: ProjectFolder,
  child: ChildProcess,
  signal: NodeJS.Signals,
): Promise<number | NodeJS.Signals> {
  const { pid = 0 } = child
  onTestFinished(() => void (isGroupAlive(pid) && process.kill(-pid, 'SIGKILL')))
  const gone = once(child, 'exit')
  const someCame = async () => expect(await incompleteBytes(consumer.cacheDir)).toBeGreaterThan(2 * MEGABYTE)
  await vi.waitFor(someCame, { timeout: 200_000, interval: 20 })
  child.kill(signal)
  const [code, by] = await gone
  // No process that it started is left: no worker, no compiler.
  await vi.waitFor(() => expect(isGroupAlive(pid)).toBe(false), { timeout: 200_000, interval: 20 })
  await hub.idle()
  return by ?? code
}

function isGroupAlive(pid: number): boolean {
  try {
    return process.kill(-pid, 0)
  } catch {
    return false
  }
}

/** The next run downloads what is missing, and at most the bytes again that were in flight at the interrupt. */
async function expectToGoOn(consumer: ProjectFolder): Promise<void> {
  mend()
  const before = hub.bytesSent(FILE)
  hub.clearRequests()
  const { exitCode, output, report } = await consumer.vitest([], env)
  expect(exitCode, output).toBe(0)
  expect(report).toMatchObject({ requests: 1, misses: 1 })
  expect(hub.requests.filter(({ origin }) => origin === 'cdn').map(({ range }) => range)).toEqual([
    expect.stringMatching(/^bytes=\d+-$/),
  ])
  expect(before + hub.bytesSent(FILE)).toBeLessThan(WEIGHTS.length + 4 * MEGABYTE)
  const path = join(consumer.cacheDir, 'hub', 'models--org--large', 'snapshots', commit, 'weights.bin')
  expect(sha256(await readFile(path))).toBe(sha256(WEIGHTS))
  expect(await readdir(join(consumer.cacheDir, 'incoming'))).toEqual([])
  expect(await readdir(join(consumer.cacheDir, 'leases'))).toEqual([])
}

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('the warm-up ends at %s, and the next run goes on with what came', async (signal, exit) => {
  const consumer = await createConsumer([REPO])
  expect(await interrupt(consumer, consumer.start('vitest', [], env), signal)).toBe(exit)
  await expectToGoOn(consumer)
})

test.each(['forks', 'threads'])('a download on demand in the pool %s ends with its run', async (pool) => {
  const consumer = await createConsumer([], `pool: '${pool}'`)
  expect(await interrupt(consumer, consumer.start('vitest', [], env), 'SIGINT')).toBe(130)
  await expectToGoOn(consumer)
})

test('an upload after the run ends at SIGINT, and the run has shown its report', async () => {
  const config = `
    import { writeFileSync } from 'node:fs'
    import { join } from 'node:path'
    import { defineRemote, modelCache } from 'vitest-model-cache'
    import { defineConfig } from 'vitest/config'
    const put = () => {
      writeFileSync(join(import.meta.dirname, 'sending'), '')
      return new Promise(() => undefined)
    }
    const remote = defineRemote({ has: async () => false, get: async () => undefined, put })
    export default defineConfig({ plugins: [modelCache({ remote, report: { outputFile: 'report.json' } })] })
  `
  const consumer = await Consumer.create({ files: { 'vitest.config.ts': config, 'a.test.ts': TEST } })
  const child = consumer.start('vitest', [], env)
  const { pid = 0 } = child
  onTestFinished(() => void (isGroupAlive(pid) && process.kill(-pid, 'SIGKILL')))
  const gone = once(child, 'exit')
  await vi.waitFor(() => readFile(join(consumer.directory, 'sending')), { timeout: 200_000, interval: 20 })
  child.kill('SIGINT')
  expect((await gone)[0]).toBe(130)
  expect(JSON.parse(await readFile(join(consumer.directory, 'report.json'), 'utf8'))).toMatchObject({ misses: 1 })
})

test.each(['SIGINT', 'SIGTERM'] as const)('the command `warm` ends at %s, and the next run goes on', async (signal) => {
  const consumer = await createConsumer([REPO])
  expect([signal, 130, 143]).toContain(await interrupt(consumer, consumer.start('cli', ['warm'], env), signal))
  await expectToGoOn(consumer)
})
