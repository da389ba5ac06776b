// The verification of cached digests by a script (`openModelCache().verify`), compared with openssl on the same files.
import { Layout } from '../../src/cache/store/layout.ts'
import { parseRepoId } from '../../src/model/repo-id.ts'
import { cleanEnvironment } from '../support/project-folder.ts'
import { ColdProject } from './cold-project.ts'
import { costRows, cpuMs, walls } from './cost-rows.ts'
import { missingPeers } from './peers.ts'
import { type Cost, runProcess } from './process.ts'
import { interleave, paired, sample } from './rounds.ts'
import type { BenchContext, Findings, Row } from './row.ts'

const MEGABYTE = 1_000_000
const CLI = 'node_modules/vitest-model-cache/dist/cli/main.js'

interface Filled {
  cacheDir: string
  /** The paths of the blobs in the cache. */
  blobs: string[]
}

type Ways = Record<string, () => Promise<Cost>>
type Runs = Record<string, Cost[]>

export async function verify({ packageDirectory, isQuick }: BenchContext): Promise<Findings> {
  const { missing, notes } = await missingPeers(['openssl'])
  const cold = await ColdProject.create(packageDirectory)
  const verifying = (script: string[], { cacheDir }: Filled) => {
    const options = { cwd: cold.project.directory, env: { ...cleanEnvironment(), ...cold.environment(cacheDir) } }
    options.env.MODEL_CACHE_DIR = cacheDir
    return () => runProcess(process.execPath, script, options)
  }
  const ways = (cache: Filled): Ways => ({
    ours: verifying(['verify.mjs'], cache),
    ...(missing.size === 0 && { openssl: () => runProcess('openssl', ['dgst', '-sha256', ...cache.blobs]) }),
  })
  try {
    const [large, small, rounds] = isQuick ? [200, 25, 3] : [500, 60, 11]
    const one = await filled(cold, 'org/one', [large * MEGABYTE])
    const many = await filled(cold, 'org/many', Array(8).fill(small * MEGABYTE))
    const tiny = await filled(cold, 'org/tiny', [1000])
    const others = { 'our command line': verifying([CLI, 'verify'], one), 'ours, a tiny model': ways(tiny).ours }
    const ofOne = await interleave({ ...ways(one), ...others } as Ways, rounds)
    const ofMany = await interleave(ways(many), rounds)
    return { rows: [...rowsOfOne(`verify ${large} MB`, ofOne), ...rowsOfMany(`verify 8 x ${small} MB`, ofMany)], notes }
  } finally {
    await cold.remove()
  }
}

/** Makes a cache with only one model, with files of these sizes in bytes. */
async function filled(cold: ColdProject, repo: string, sizes: number[]): Promise<Filled> {
  const digests = await cold.serveFiles(repo, sizes)
  const folder = await cold.freshFolder()
  const env = cold.environment(folder)
  await runProcess(process.execPath, ['warm.mjs', repo], {
    cwd: cold.project.directory,
    env: { ...cleanEnvironment(), ...env },
  })
  const cacheDir = env.MODEL_CACHE_DIR ?? ''
  const layout = new Layout(cacheDir)
  return { cacheDir, blobs: digests.map((hex) => layout.blob(parseRepoId(repo), `sha256:${hex}`)) }
}

/** The rows for one file, which uses one core. */
function rowsOfOne(of: string, runs: Runs): Row[] {
  const { ours = [], openssl } = runs
  const extra = ours.flatMap(({ peakBytes }, index) => {
    const least = runs['ours, a tiny model']?.[index]?.peakBytes
    return peakBytes === undefined || least === undefined ? [] : [peakBytes - least]
  })
  const ratios: Row[] = openssl
    ? [
        {
          what: `${of}: time against openssl`,
          unit: 'x',
          value: paired(inside(ours, 'ms'), walls(openssl)),
          atMost: 1.1,
        },
        {
          what: `${of}: user and system time against openssl`,
          unit: 'x',
          value: paired(
            inside(ours, 'cpuMs'),
            openssl.map((run) => cpuMs(run) ?? Number.NaN),
          ),
        },
        { what: `${of}: whole process against openssl`, unit: 'x', value: paired(walls(ours), walls(openssl)) },
      ]
    : []
  const memory: Row[] =
    extra.length > 0
      ? [
          {
            what: `${of}: peak memory beyond that for a tiny model`,
            unit: 'bytes',
            value: sample(extra),
            atMost: 64 * MEGABYTE,
          },
        ]
      : []
  return [...ratios, ...memory, ...ownRows(runs)]
}

function rowsOfMany(of: string, runs: Runs): Row[] {
  const { ours = [], openssl } = runs
  const ratios: Row[] = openssl
    ? [
        {
          what: `${of}: time against openssl, one file after the other`,
          unit: 'x',
          value: paired(inside(ours, 'ms'), walls(openssl)),
          atMost: 1,
        },
        {
          what: `${of}: cores that it keeps busy`,
          unit: 'x',
          value: paired(inside(ours, 'cpuMs'), inside(ours, 'ms')),
        },
        { what: `${of}: whole process against it`, unit: 'x', value: paired(walls(ours), walls(openssl)) },
      ]
    : []
  return [...ratios, ...ownRows(runs)]
}

function ownRows(runs: Runs): Row[] {
  const { ours = [] } = runs
  return [
    { what: '  ours: time of the verification', unit: 'ms', value: sample(inside(ours, 'ms')) },
    { what: '  ours: its user and system time', unit: 'ms', value: sample(inside(ours, 'cpuMs')) },
    ...Object.entries(runs).flatMap(([way, costs]) => costRows(way, costs)),
  ]
}

/** The times of the verification within its process, without the start of Node.js and the loading of the package. */
function inside(runs: Cost[], what: 'ms' | 'cpuMs'): number[] {
  return runs.map(({ stdout }) => JSON.parse(stdout)[what])
}
