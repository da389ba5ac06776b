// A warm, untouched `pipeline()` in a test: from our cache, and from transformers.js's own cache.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startHub } from '../support/hub/index.ts'
import { makeEmbeddingModel } from '../support/model-maker/index.ts'
import { ProjectFolder } from '../support/project-folder.ts'
import { costRows } from './cost-rows.ts'
import type { Cost } from './process.ts'
import { runVitest } from './programs.ts'
import { interleave, paired, sample } from './rounds.ts'
import type { BenchContext, Findings, Row } from './row.ts'

const MODEL = 'org/embeddings'

/** The measurements of the test (milliseconds, and peak bytes of its process), and the cost of the whole run of Vitest. */
interface Measured extends Cost {
  ms: number
  peak: number
}

export async function warmPipeline({ packageDirectory, isQuick }: BenchContext): Promise<Findings> {
  const hundred = await measure(packageDirectory, 100, isQuick ? 3 : 15)
  return { rows: isQuick ? hundred : [...hundred, ...(await measure(packageDirectory, 500, 5))] }
}

async function measure(packageDirectory: string, megabytes: number, rounds: number): Promise<Row[]> {
  const project = await ProjectFolder.create({ packageDirectory, files: FILES })
  const hub = await startHub()
  try {
    const { directory } = await makeEmbeddingModel(join(project.directory, 'made'), { size: megabytes * 1_000_000 })
    hub.addRepo(MODEL, { directory, pipelineTag: 'feature-extraction' })
    const run = (who: 'ours' | 'theirs') => async (): Promise<Measured> => {
      const cost = await runVitest(project, ['--config', `${who}.config.mjs`], { HF_ENDPOINT: hub.url })
      return { ...cost, ...JSON.parse(await readFile(join(project.directory, 'measured.json'), 'utf8')) }
    }
    const ways = { ours: run('ours'), theirs: run('theirs') }
    for (const cold of Object.values(ways)) await cold()
    hub.clearRequests()
    const found = await interleave(ways, rounds)
    if (hub.requests.length > 0) throw new Error('A warm run asked the Hub.')
    return rowsOf(`warm pipeline() of ${megabytes} MB`, found)
  } finally {
    await hub.close()
    await project.remove()
  }
}

function rowsOf(of: string, { ours, theirs }: Record<'ours' | 'theirs', Measured[]>): Row[] {
  const times = (runs: Measured[]) => runs.map(({ ms }) => ms)
  const peaks = (runs: Measured[]) => runs.map(({ peak }) => peak)
  return [
    {
      what: `${of}: time against transformers.js alone`,
      unit: 'x',
      value: paired(times(ours), times(theirs)),
      atMost: 1.02,
    },
    { what: '  ours', unit: 'ms', value: sample(times(ours)) },
    { what: '  transformers.js alone', unit: 'ms', value: sample(times(theirs)) },
    { what: `${of}: peak memory against it`, unit: 'x', value: paired(peaks(ours), peaks(theirs)), atMost: 1 },
    { what: '  ours', unit: 'bytes', value: sample(peaks(ours)) },
    { what: '  transformers.js alone', unit: 'bytes', value: sample(peaks(theirs)) },
    ...costRows('ours, whole run', ours),
    ...costRows('transformers.js alone, whole run', theirs),
  ]
}

const FILES = {
  'a.test.js': `
    import { writeFileSync } from 'node:fs'
    import { env, pipeline } from '@huggingface/transformers'
    import { expect, test } from 'vitest'
    env.cacheDir = './own-cache'
    env.remoteHost = process.env.HF_ENDPOINT + '/'
    test('embeds', async () => {
      const started = performance.now()
      const embed = await pipeline('feature-extraction', '${MODEL}')
      const { dims } = await embed('A dog', { pooling: 'mean', normalize: true })
      const ms = performance.now() - started
      expect(dims[0]).toBe(1)
      writeFileSync('measured.json', JSON.stringify({ ms, peak: process.resourceUsage().maxRSS * 1024 }))
    })
  `,
  'ours.config.mjs': `
    import { modelCache } from 'vitest-model-cache'
    export default { plugins: [modelCache()], test: { testTimeout: 120_000 } }
  `,
  'theirs.config.mjs': 'export default { test: { testTimeout: 120_000 } }',
}
