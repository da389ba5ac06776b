// When the first test has its result, and when a cold run ends, with models that are downloaded while tests run, and before them.
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { removeFolder } from '../support/remove-folder.ts'
import { ColdProject } from './cold-project.ts'
import { interleave, paired, type Sample, sample } from './rounds.ts'
import type { BenchContext, Findings, Row } from './row.ts'

const FILES = 20
const REPO = 'org/model'
type Runner = 'vitest' | 'jest'

/** Milliseconds from the start of the process. */
interface Cold {
  firstResult: number
  end: number
  bytes: number
}

/** `only`: megabytes of the model, and megabytes a second of the Hub. */
export async function prefetch({ packageDirectory, isQuick, only }: BenchContext): Promise<Findings> {
  const [megabytes = isQuick ? 20 : 500, rate = isQuick ? 20 : 50] = (only ?? []).map(Number)
  const cold = await ColdProject.create(packageDirectory, CONFIGS)
  try {
    await cold.serveFiles(REPO, [megabytes * 1e6])
    const rounds = isQuick ? 1 : 3
    const size = `${megabytes} MB at ${rate} MB/s`
    const rows: Row[] = []
    for (const runner of ['vitest', 'jest'] as const) {
      const some = await measure(cold, runner, { needing: 2, rate, rounds })
      const suite = `${runner}, 2 of ${FILES} files need ${size}`
      rows.push(...rowsOf(suite, 'first result', some, 'firstResult'), ...rowsOf(suite, 'whole run', some, 'end', 1))
      const value = bytesOf(some, megabytes * 1e6)
      rows.push({ what: `${runner}, bytes from the Hub, of those of the model`, unit: 'x', value, atMost: 1.001 })
      if (isQuick && runner === 'jest') continue
      const all = await measure(cold, runner, { needing: FILES, rate, rounds })
      rows.push(...rowsOf(`${runner}, all ${FILES} files need it`, 'whole run', all, 'end', 1.02))
    }
    return { rows }
  } finally {
    await cold.remove()
  }
}

type Runs = Record<'during' | 'before', Cold[]>

/** Cold runs of a suite in which the first files need the model. `warm: 'all'` warms the same, and tests wait for it. */
async function measure(
  cold: ColdProject,
  runner: Runner,
  { needing, rate, rounds }: { needing: number; rate: number; rounds: number },
): Promise<Runs> {
  for (let file = 0; file < FILES; file++) await writeTest(cold, file, file < needing)
  const trained = await cold.freshFolder()
  cold.hub.throttle({})
  // Without a record of an earlier run, the tests download the model themselves.
  await run(cold, runner, trained, { PATIENT: 'yes' })
  cold.hub.throttle({ total: rate * 1e6 })
  const way = (warm: string) => async () => {
    const folder = await cold.freshFolderAfter(trained)
    cold.hub.clearRequests()
    const times = await run(cold, runner, folder, { MODEL_CACHE_WARM: warm })
    await removeFolder(folder)
    return { ...times, bytes: cold.hub.bytesSent({ origin: 'cdn' }) }
  }
  return interleave({ during: way('predicted'), before: way('all') }, rounds)
}

function writeTest({ project }: ColdProject, file: number, needsModel: boolean): Promise<void> {
  const body = needsModel
    ? `await models.file('${REPO}', '0.bin')`
    : 'await new Promise((done) => setTimeout(done, 100))'
  return project.write({
    [`vitest/${file}.test.js`]: `import { test } from 'vitest'\ntest('runs', async ({ models }) => { ${body} })`,
    [`jest/${file}.test.cjs`]: `test('runs', async () => { ${body} })`,
  })
}

async function run(
  cold: ColdProject,
  runner: Runner,
  folder: string,
  env: Record<string, string>,
): Promise<Omit<Cold, 'bytes'>> {
  const mark = join(cold.project.directory, 'first')
  await rm(mark, { force: true })
  const started = Date.now()
  const result = await cold.project[runner]([], { ...cold.environment(folder), ...env })
  const end = Date.now() - started
  if (result.exitCode !== 0) throw new Error(result.output)
  return { firstResult: Number(await readFile(mark, 'utf8')) - started, end }
}

function rowsOf(suite: string, what: string, runs: Runs, key: 'firstResult' | 'end', atMost?: number): Row[] {
  const of = (way: keyof Runs) => runs[way].map((run) => run[key])
  return [
    { what: `${suite}: ${what}, tests during the download`, unit: 'ms', value: sample(of('during')) },
    { what: '  tests after it', unit: 'ms', value: sample(of('before')) },
    { what: '  during against after (paired)', unit: 'x', value: paired(of('during'), of('before')), atMost },
  ]
}

function bytesOf({ during }: Runs, bytes: number): Sample {
  return sample(during.map((run) => run.bytes / bytes))
}

const NOTE_FIRST = `
  import { writeFileSync } from 'node:fs'
  let isFirst = true
  export const noteFirst = {
    onTestCaseResult() {
      if (isFirst) writeFileSync('first', String(Date.now()))
      isFirst = false
    },
  }
  export const testTimeout = process.env.PATIENT ? 120_000 : 5_000
`

const CONFIGS = {
  'note-first.mjs': NOTE_FIRST,
  'vitest.config.mjs': `
    import { modelCache } from 'vitest-model-cache'
    import { noteFirst, testTimeout } from './note-first.mjs'
    const reporters = ['default', noteFirst]
    export default { plugins: [modelCache()], test: { dir: 'vitest', maxWorkers: 2, reporters, testTimeout } }
  `,
  'reporter.mjs': `
    import { noteFirst } from './note-first.mjs'
    export default class {
      onTestCaseResult = noteFirst.onTestCaseResult
    }
  `,
  // The last option keeps Jest from running tests in its main process, which it decides by their times.
  'jest.config.mjs': `
    import { withModelCache } from 'vitest-model-cache/jest'
    import { testTimeout } from './note-first.mjs'
    export default withModelCache({
      ...{ rootDir: 'jest', transform: {}, testMatch: ['**/*.test.cjs'], testTimeout, maxWorkers: 2 },
      reporters: ['default', '<rootDir>/../reporter.mjs'],
      workerIdleMemoryLimit: '2GB',
    })
  `,
}
