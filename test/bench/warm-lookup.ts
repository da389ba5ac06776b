// The lookup of a cached model: in a worker, in a new process with 1,000 models, and by @huggingface/hub.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Hub, startHub } from '../support/hub/index.ts'
import { manyModels } from '../support/many-models.ts'
import { makeEmbeddingModel } from '../support/model-maker/index.ts'
import { ProjectFolder } from '../support/project-folder.ts'
import { costRows } from './cost-rows.ts'
import { LOOKED_UP, makeEntries } from './many-entries.ts'
import { PROGRAMS, runProgram, type Told } from './programs.ts'
import { interleave, paired, sample } from './rounds.ts'
import type { BenchContext, Findings, Row } from './row.ts'

const FIRST = LOOKED_UP
const SECOND = 'org/model-0001'
const EMBEDDINGS = 'org/embeddings'

export async function warmLookup({ packageDirectory, isQuick }: BenchContext): Promise<Findings> {
  const project = await ProjectFolder.create({ packageDirectory, files: { ...PROGRAMS, ...FIXTURE } })
  const hub = await startHub()
  try {
    for (const { repo, files } of manyModels(2)) hub.addRepo(repo, { files })
    const { directory } = await makeEmbeddingModel(join(project.directory, 'made'), { size: 1_000_000 })
    hub.addRepo(EMBEDDINGS, { directory, pipelineTag: 'feature-extraction' })
    return { rows: [...(await inWorker(project, hub, isQuick)), ...(await inProcess(project, hub, isQuick))] }
  } finally {
    await hub.close()
    await project.remove()
  }
}

/** The measurements of a test of the fixture, and the lookup time of the report: milliseconds, by name. */
type Measured = Record<string, number>

async function inWorker(project: ProjectFolder, hub: Hub, isQuick: boolean): Promise<Row[]> {
  const cacheDir = join(project.directory, 'few')
  const run = async (config: string): Promise<Measured> => {
    hub.clearRequests()
    const env = { HF_ENDPOINT: hub.url, MODEL_CACHE_DIR: cacheDir }
    const { exitCode, output, report } = await project.vitest(['--config', config], env)
    if (exitCode !== 0) throw new Error(output)
    const lookup = report?.models.find(({ repo }) => repo === FIRST)?.lookupMs
    const measured = JSON.parse(await readFile(join(project.directory, 'measured.json'), 'utf8'))
    return { ...measured, ...(lookup && { lookup }) }
  }
  const ways = {
    ours: async () => {
      const measured = await run('ours.config.mjs')
      if (hub.requests.length > 0) throw new Error('A warm run asked the Hub.')
      return measured
    },
    theirs: () => run('theirs.config.mjs'),
  }
  for (const cold of ['ours.config.mjs', 'theirs.config.mjs']) await run(cold)
  const { ours, theirs } = await interleave(ways, isQuick ? 3 : 9)
  const times = (name: string, runs = ours) => runs.map((measured) => measured[name] ?? Number.NaN)
  const their = times('first', theirs)
  const row = (what: string, name: string, atMost?: number): Row => ({
    ...{ what, unit: 'ms', atMost },
    value: sample(times(name)),
  })
  return [
    row('warm lookup of 4 files in a worker, by the manifest (lookupMs of the report)', 'lookup', 1),
    row('  models.path() as the test sees it, the first in its worker: loads the engine', 'first'),
    row('  models.path() of another model after it', 'second'),
    { what: '  snapshotDownload() of @huggingface/hub, the first in its worker', unit: 'ms', value: sample(their) },
    { what: '  it over our lookup (the engine alone)', unit: 'x', value: paired(their, times('lookup')), atLeast: 50 },
    { what: '  it over models.path() as the test sees it', unit: 'x', value: paired(their, times('first')) },
    row('the same models.pipeline() once more in its worker', 'pipelineAgain', 1),
  ]
}

async function inProcess(project: ProjectFolder, hub: Hub, isQuick: boolean): Promise<Row[]> {
  await makeEntries(project, hub, project.cacheDir, 1000)
  const env = { HF_ENDPOINT: hub.url }
  let requests: Record<string, number[]> = {}
  const counted = (name: string, args: string[]) => async () => {
    hub.clearRequests()
    const told = await runProgram<'ms' | 'againMs' | 'readMs'>(project, args, env)
    requests[name] = [...(requests[name] ?? []), hub.requests.length / 2]
    return told
  }
  const ways = {
    ours: counted('ours', ['lookup.mjs', FIRST, '4']),
    theirs: counted('theirs', ['snapshot-twice.mjs', FIRST, join(project.directory, 'theirs')]),
  }
  // Fills the cache of @huggingface/hub first.
  for (const way of Object.values(ways)) await way()
  requests = {}
  const { ours, theirs } = await interleave(ways, isQuick ? 3 : 15)
  const times = (told: Told<'ms' | 'againMs' | 'readMs'>[], name: 'ms' | 'againMs') => told.map((each) => each[name])
  const compared = (what: string, name: 'ms' | 'againMs'): Row[] => [
    { what: `${what}: @huggingface/hub over ours`, unit: 'x', value: paired(times(theirs, name), times(ours, name)) },
    { what: '  ours', unit: 'ms', value: sample(times(ours, name)) },
    { what: '  snapshotDownload() of @huggingface/hub', unit: 'ms', value: sample(times(theirs, name)) },
  ]
  return [
    {
      what: 'warm lookup from the metadata of 1,000 entries, by a new cache of a process that has the code',
      unit: 'ms',
      value: sample(ours.map(({ readMs }) => readMs)),
      atMost: 15,
    },
    ...compared('  the first of a process, which loads what it needs', 'ms'),
    ...compared('  once more, by the same', 'againMs'),
    { what: '  requests of a lookup, ours', unit: 'requests', value: sample(requests.ours ?? []), atMost: 0 },
    { what: '  requests of a lookup, @huggingface/hub', unit: 'requests', value: sample(requests.theirs ?? []) },
    ...costRows('both lookups, ours', ours),
    ...costRows('both lookups, @huggingface/hub', theirs),
  ]
}

const TIMED = `
  import { writeFileSync } from 'node:fs'
  const timed = async (ask) => {
    const started = performance.now()
    await ask()
    return performance.now() - started
  }
  const write = (measured) => writeFileSync('measured.json', JSON.stringify(measured))
`

const FIXTURE = {
  'ours.test.js': `
    ${TIMED}
    import { expect, test } from 'vitest'
    test('asks', async ({ models }) => {
      const first = await timed(() => models.path('${FIRST}'))
      const second = await timed(() => models.path('${SECOND}'))
      const load = () => models.pipeline('feature-extraction', '${EMBEDDINGS}')
      const loaded = await load()
      const pipelineAgain = await timed(load)
      expect(await load()).toBe(loaded)
      write({ first, second, pipelineAgain })
    })
  `,
  'theirs.test.js': `
    ${TIMED}
    import { snapshotDownload } from '@huggingface/hub'
    import { test } from 'vitest'
    test('asks', async () => {
      const asked = { repo: '${FIRST}', cacheDir: './theirs in a worker', hubUrl: process.env.HF_ENDPOINT }
      write({ first: await timed(() => snapshotDownload(asked)) })
    })
  `,
  'ours.config.mjs': `
    import { modelCache } from 'vitest-model-cache'
    const models = ['${FIRST}', '${SECOND}', '${EMBEDDINGS}']
    export default {
      plugins: [modelCache({ models, report: { outputFile: 'report.json' } })],
      test: { include: ['ours.test.js'] },
    }
  `,
  'theirs.config.mjs': "export default { test: { include: ['theirs.test.js'] } }",
}
