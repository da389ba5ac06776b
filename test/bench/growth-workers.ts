import { join } from 'node:path'
import { type Hub, startHub } from '../support/hub/index.ts'
import { ProjectFolder } from '../support/project-folder.ts'
import { removeFolder } from '../support/remove-folder.ts'
import { interleave, sample } from './rounds.ts'
import type { BenchContext, Growth } from './row.ts'

const MODEL = 'org/shared'
const MOST_WORKERS = 16
const SIZE = 10 * 2 ** 20

interface Run {
  lookupMs: number
  requests: number
  /** Bytes on the wire over the size of the model. */
  wire: number
}

/** Runs with as many test files as workers, which all request one model: declared and cached, or undeclared and not cached. */
export async function growthOfWorkers({ packageDirectory, isQuick }: BenchContext): Promise<Growth[]> {
  const counts = isQuick ? [1, 4] : [1, 2, 4, 8, MOST_WORKERS]
  const project = await ProjectFolder.create({ packageDirectory, files: files() })
  const hub = await startHub()
  try {
    hub.addRepo(MODEL, { files: { 'config.json': '{}', 'weights.bin': Buffer.alloc(SIZE, 'weights') } })
    const ways = counts.flatMap((workers): [string, () => Promise<Run>][] => [
      [`warm ${workers}`, () => run(project, hub, workers, 'warm')],
      [`cold ${workers}`, () => run(project, hub, workers, 'cold')],
    ])
    const runs = await interleave(Object.fromEntries(ways), isQuick ? 1 : 2)
    const line = (what: string, unit: Growth['unit'], kind: 'warm' | 'cold', name: keyof Run): Growth => ({
      ...{ axis: 'workers', what, unit },
      points: counts.map((at) => ({ at, value: sample((runs[`${kind} ${at}`] ?? []).map((each) => each[name])) })),
    })
    return [
      line('warm lookup, p50 of the workers', 'ms', 'warm', 'lookupMs'),
      line('requests at the Hub, warm', 'requests', 'warm', 'requests'),
      line('requests at the Hub, cold on demand', 'requests', 'cold', 'requests'),
      line('bytes on the wire over model size, cold', 'x', 'cold', 'wire'),
    ]
  } finally {
    await hub.close()
    await project.remove()
  }
}

async function run(project: ProjectFolder, hub: Hub, workers: number, kind: 'warm' | 'cold'): Promise<Run> {
  const cacheDir = join(project.directory, `${kind} cache`)
  if (kind === 'cold') await removeFolder(cacheDir)
  hub.clearRequests()
  const names = Array.from({ length: workers }, (_, index) => `test/${index}.test.js`)
  const env = { HF_ENDPOINT: hub.url, MODEL_CACHE_DIR: cacheDir, KIND: kind }
  const { exitCode, output, report } = await project.vitest([`--maxWorkers=${workers}`, ...names], env)
  const lookup = report?.times.lookup
  if (exitCode !== 0 || !lookup || lookup.count !== workers) throw new Error(output)
  return { lookupMs: lookup.p50, requests: hub.requests.length, wire: hub.bytesSent({ kind: 'cdn' }) / SIZE }
}

function files(): Record<string, string> {
  const numbers = Array.from({ length: MOST_WORKERS }, (_, index) => index)
  return {
    ...Object.fromEntries(numbers.map((index) => [`test/${index}.test.js`, TEST])),
    'vitest.config.mjs': `
      import { modelCache } from 'vitest-model-cache'
      const models = process.env.KIND === 'warm' ? ['${MODEL}'] : []
      export default {
        plugins: [modelCache({ models, report: { outputFile: 'report.json' } })],
        test: { testTimeout: 60_000 },
      }
    `,
  }
}

const TEST = `
  import { test } from 'vitest'
  test('asks', async ({ models }) => {
    await models.path('${MODEL}')
  })
`
