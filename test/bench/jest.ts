// A whole run of Jest with this package, against plain Jest with the environment that users write by hand: without it, onnxruntime-node
// refuses the typed arrays of a test. There transformers.js has its own warm cache.
import { join } from 'node:path'
import type { Cost } from './process.ts'
import { runProcess } from './process.ts'
import { interleave, paired, sample } from './rounds.ts'
import type { BenchContext, Findings, Row } from './row.ts'
import { cpuMs, repoOf, Suites, wallMs } from './suites.ts'

const FILES = 3
const REPO = repoOf('small')
const WAYS = ['global', 'untouched', 'plain'] as const
type Way = (typeof WAYS)[number]

/** Three test files that load an encoder of 90 MB, in one process, as Jest runs them on two cores. */
export async function jest({ packageDirectory, isQuick }: BenchContext): Promise<Findings> {
  const suites = await Suites.create(packageDirectory)
  try {
    await suites.serve(REPO)
    await suites.project.write(suiteFiles())
    const run = (way: Way) => () => runJest(suites, way)
    const ways = { global: run('global'), untouched: run('untouched'), plain: run('plain') }
    // A cold run, and a second one, so that each measured run has the records of two earlier runs to read.
    for (let round = 0; round < 2; round++) for (const way of WAYS) await ways[way]()
    suites.hub.clearRequests()
    const found = await interleave(ways, isQuick ? 2 : 9)
    if (suites.hub.requests.length > 0) throw new Error('A warm run asked the Hub.')
    return {
      rows: [
        ...rowsOf('wall', 'ms', found, wallMs, { global: 0.55, untouched: 0.7 }),
        ...rowsOf('processor time', 'ms', found, (cost) => cpuMs(cost) ?? Number.NaN, { global: 0.6, untouched: 0.75 }),
        ...rowsOf('peak memory', 'bytes', found, ({ peakBytes = Number.NaN }) => peakBytes, {
          global: 0.55,
          untouched: 0.85,
        }),
      ],
    }
  } finally {
    await suites.remove()
  }
}

function rowsOf(
  figure: string,
  unit: Row['unit'],
  found: Record<Way, Cost[]>,
  of: (cost: Cost) => number,
  reach: Record<'global' | 'untouched', number>,
): Row[] {
  const what = `Jest, ${FILES} files, 90 MB: ${figure}`
  const values = (way: Way) => found[way].map(of)
  const ratio = (way: 'global' | 'untouched', how: string): Row => ({
    what: `${what}, ${how} against plain Jest`,
    ...{ unit: 'x', value: paired(values(way), values('plain')), atMost: reach[way] },
  })
  return [
    ratio('untouched', 'untouched pipeline()'),
    ratio('global', 'models.pipeline()'),
    ...WAYS.map((way) => ({ what: `  ${way}`, unit, value: sample(values(way)) })),
  ]
}

function runJest({ project, hub }: Suites, way: Way): Promise<Cost> {
  const program = join(project.directory, 'node_modules', 'jest', 'bin', 'jest.js')
  const env = { ...project.environment, HF_ENDPOINT: hub.url }
  const args = [program, '--config', `${way}.config.mjs`, '--maxWorkers=1']
  return runProcess(project.node, args, { cwd: project.directory, env })
}

function suiteFiles(): Record<string, string> {
  const ofWay = (way: Way, load: string, config: string) => ({
    [`${way}.config.mjs`]: config,
    ...Object.fromEntries(Array.from({ length: FILES }, (_, index) => [`${way}/${index}.test.cjs`, testOf(load)])),
  })
  const ours = (way: Way) => `
    import { withModelCache } from 'vitest-model-cache/jest'
    export default withModelCache({ rootDir: '${way}', transform: {}, modelCache: { models: ['${REPO}'] } })
  `
  return {
    ...ofWay('untouched', UNTOUCHED, ours('untouched')),
    ...ofWay('global', 'const { pipeline } = models', ours('global')),
    ...ofWay(
      'plain',
      UNTOUCHED,
      `export default { rootDir: 'plain', transform: {}, testEnvironment: '../own-environment.cjs' }`,
    ),
    'own-environment.cjs': `
      const { TestEnvironment } = require('jest-environment-node')
      module.exports = class extends TestEnvironment {
        constructor(...args) {
          super(...args)
          Object.assign(this.global, { Float32Array, BigInt64Array, Uint8Array, Int32Array, Float64Array, ArrayBuffer })
        }
      }
    `,
  }
}

const UNTOUCHED = `
  const { env, pipeline } = require('@huggingface/transformers')
  env.cacheDir = './own-cache'
  env.remoteHost = process.env.HF_ENDPOINT + '/'
`

function testOf(load: string): string {
  return `
    ${load}
    test('embeds', async () => {
      const embed = await pipeline('feature-extraction', '${REPO}')
      expect((await embed('A dog runs over the hill', { pooling: 'mean', normalize: true })).dims[0]).toBe(1)
    }, 120_000)
  `
}
