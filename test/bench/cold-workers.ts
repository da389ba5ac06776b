// Four workers request the same model at the same time. It is neither cached nor declared, and must be downloaded once.
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { removeFolder } from '../support/remove-folder.ts'
import { ColdProject, type ColdRun, type ServedModel } from './cold-project.ts'
import { costRows, walls } from './cost-rows.ts'
import { runVitest } from './programs.ts'
import { interleave, paired, sample } from './rounds.ts'
import type { BenchContext, Findings, Row } from './row.ts'

const REPO = 'org/model'
const TESTS = ['a', 'b', 'c', 'd'].map((name) => `${name}.test.js`)

/** A whole run of Vitest. */
interface WorkersRun extends ColdRun {
  /** The longest that a test waited for the model, as it measured itself. */
  waitMs: number
}

export async function coldWorkers({ packageDirectory, isQuick }: BenchContext): Promise<Findings> {
  const cold = await ColdProject.create(packageDirectory, FILES)
  try {
    const megabytes = isQuick ? 40 : 100
    const model = await cold.serve(REPO, megabytes * 1_000_000)
    // The network is the limit, so four downloads take four times as long as one.
    cold.hub.throttle({ total: 50_000_000 })
    const ways = {
      ours: run(cold, 'ours', 4),
      'one worker': run(cold, 'ours', 1),
      '@huggingface/hub': run(cold, 'theirs', 4),
    }
    return { rows: rowsOf(megabytes, model, await interleave(ways, isQuick ? 1 : 5)) }
  } finally {
    await cold.remove()
  }
}

function run(cold: ColdProject, who: 'ours' | 'theirs', workers: number): () => Promise<WorkersRun> {
  return async () => {
    const folder = await cold.freshFolder()
    cold.hub.clearRequests()
    const args = ['--config', `${who}.config.mjs`, '--maxWorkers', String(workers), ...TESTS.slice(0, workers)]
    const cost = await runVitest(cold.project, args, { ...cold.environment(folder), FOLDER: folder })
    const names = (await readdir(folder)).filter((name) => name.startsWith('waited-'))
    if (names.length !== workers)
      throw new Error(`Only ${names.length} of ${workers} workers requested the model.\n${cost.stdout}`)
    const waits = await Promise.all(names.map(async (name) => Number(await readFile(join(folder, name), 'utf8'))))
    await removeFolder(folder)
    return { ...cost, waitMs: Math.max(...waits), ...(await cold.atHub()) }
  }
}

function rowsOf(
  megabytes: number,
  { totalBytes }: ServedModel,
  found: Record<'ours' | 'one worker' | '@huggingface/hub', WorkersRun[]>,
): Row[] {
  const { ours, 'one worker': one, '@huggingface/hub': theirs } = found
  const waits = (runs: WorkersRun[]) => runs.map(({ waitMs }) => waitMs)
  const wire = (runs: WorkersRun[]) => sample(runs.map(({ wireBytes }) => wireBytes / totalBytes))
  const of = `cold ${megabytes} MB on demand by 4 workers`
  return [
    // The listing is downloaded too.
    { what: `${of}: bytes on the wire against the files'`, unit: 'x', value: wire(ours), atMost: 1.001 },
    { what: `${of}: the same of @huggingface/hub with a folder each`, unit: 'x', value: wire(theirs) },
    {
      what: `${of}: longest wait of a test against that of one worker`,
      unit: 'x',
      value: paired(waits(ours), waits(one)),
      atMost: 1.15,
    },
    { what: `${of}: the same against @huggingface/hub`, unit: 'x', value: paired(waits(ours), waits(theirs)) },
    { what: `${of}: whole run against one worker`, unit: 'x', value: paired(walls(ours), walls(one)) },
    ...Object.entries(found).flatMap(([name, runs]): Row[] => [
      { what: `  ${name}: longest wait`, unit: 'ms', value: sample(waits(runs)) },
      ...costRows(`${name}, whole run`, runs),
      { what: `  ${name}: requests`, unit: 'requests', value: sample(runs.map(({ requests }) => requests)) },
    ]),
  ]
}

/** A test that waits for the model, and writes the waiting time to a file. */
function testOf(imports: string, ask: string): string {
  return `
    import { writeFileSync } from 'node:fs'
    import { test } from 'vitest'
    ${imports}
    const { FOLDER, HF_ENDPOINT } = process.env
    test('waits for the model', async () => {
      const started = performance.now()
      await ${ask}
      writeFileSync(FOLDER + '/waited-' + process.pid, String(performance.now() - started))
    })
  `
}

function configOf(folder: string, plugins: string): string {
  return `
    import { modelCache } from 'vitest-model-cache'
    export default { plugins: [${plugins}], test: { dir: '${folder}', pool: 'forks', testTimeout: 120_000 } }
  `
}

const OURS = testOf(`import { models } from 'vitest-model-cache/models'`, `models.path('${REPO}')`)
const THEIRS = testOf(
  `import { snapshotDownload } from '@huggingface/hub'`,
  `snapshotDownload({ repo: '${REPO}', hubUrl: HF_ENDPOINT, cacheDir: FOLDER + '/hub-' + process.pid })`,
)

const FILES = {
  'ours.config.mjs': configOf('ours', 'modelCache()'),
  'theirs.config.mjs': configOf('theirs', ''),
  ...Object.fromEntries(
    TESTS.flatMap((name) => [
      [`ours/${name}`, OURS],
      [`theirs/${name}`, THEIRS],
    ]),
  ),
}
