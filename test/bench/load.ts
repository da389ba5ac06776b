// The load of an ONNX file: mapped as the cache does it, and plain. Then several workers that load the same model, with the plugin and
// without it, where transformers.js has its own warm cache.
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { EncoderSize } from '../support/model-maker/index.ts'
import { runProgram, type Told } from './programs.ts'
import { interleave, paired, sample } from './rounds.ts'
import type { BenchContext, Findings, Row } from './row.ts'
import { cpuMs, modelMs, ratioRows, repoOf, type Suite, Suites } from './suites.ts'

const RUNS_BY_FOUR: Suite = {
  ...{ name: 'inferences', what: '4 workers x 30 inferences each, 90 MB', files: 4, workers: 4, model: 'small' },
  ...{ inferences: 30, rounds: 5 },
}
const MEMORY_OF_FOUR: Suite = {
  ...{ name: 'memory', what: '4 workers, 435 MB', files: 4, workers: 4, model: 'base' },
  ...{ waitsForAll: true, rounds: 3 },
}

export async function load({ packageDirectory, isQuick, only }: BenchContext): Promise<Findings> {
  const isWanted = (name: string, isLong: boolean) => (only ? only.includes(name) : !(isQuick && isLong))
  const suites = await Suites.create(packageDirectory)
  try {
    await suites.project.write(LOADERS)
    const rows: Row[] = []
    if (isWanted('90', false)) rows.push(...(await loadRows(suites, 'small', isQuick ? 3 : 11, 0.65)))
    if (isWanted('435', true)) rows.push(...(await loadRows(suites, 'base', isQuick ? 2 : 7, 0.5)))
    if (isWanted('memory', true)) rows.push(...(await memoryRows(suites, isQuick)))
    if (isWanted('inferences', true)) rows.push(...(await inferenceRows(suites, isQuick)))
    return { rows }
  } finally {
    await suites.remove()
  }
}

type Loaded = Told<'loadMs' | 'loadCpuMs' | 'ownBytes'>

async function loadRows(suites: Suites, size: EncoderSize, rounds: number, atMost: number): Promise<Row[]> {
  const { project, hub } = suites
  const repo = repoOf(size)
  await suites.serve(repo)
  const env = { HF_ENDPOINT: hub.url }
  const { exitCode, output } = await project.cli(['warm', repo], env)
  if (exitCode !== 0) throw new Error(output)
  const run = (way: string) => () => runProgram<'loadMs' | 'loadCpuMs' | 'ownBytes'>(project, [`${way}.mjs`, repo], env)
  const ways = { mapped: run('mapped'), plain: run('plain'), theirs: run('theirs') }
  const { mapped, plain, theirs } = await interleave(ways, rounds)
  const made = await interleave({ made: () => makeSkeleton(suites, size, env) }, rounds)
  const what = `load of ${size === 'base' ? 435 : 90} MB`
  const both = (name: string, unit: 'ms' | 'bytes', of: (loaded: Loaded) => number, atMost?: number): Row[] => [
    { what: `${what}: ${name}, mapped against plain`, unit: 'x', value: paired(mapped.map(of), plain.map(of)), atMost },
    { what: '  mapped', unit, value: sample(mapped.map(of)) },
    { what: '  plain', unit, value: sample(plain.map(of)) },
    { what: '  pipeline() of transformers.js, its own cache', unit, value: sample(theirs.map(of)) },
  ]
  return [
    ...both('processor time', 'ms', ({ loadCpuMs }) => loadCpuMs, atMost),
    ...both('wall', 'ms', ({ loadMs }) => loadMs),
    ...both('memory that is not shared', 'bytes', ({ ownBytes }) => ownBytes, size === 'base' ? 0.55 : undefined),
    { what: `${what}: making its skeleton`, unit: 'ms', value: sample(made.made.map(({ ms }) => ms)), atMost: 30 },
    {
      what: '  memory',
      unit: 'bytes',
      value: sample(made.made.map(({ extraBytes }) => extraBytes)),
      atMost: 8_000_000,
    },
  ]
}

/** Removes the skeleton, and measures a process that makes it again. */
async function makeSkeleton({ project }: Suites, size: EncoderSize, env: NodeJS.ProcessEnv) {
  const blobs = join(project.cacheDir, 'hub', `models--org--${size}`, 'blobs')
  const skeletons = (await readdir(blobs)).filter((name) => name.endsWith('.mapped.onnx'))
  for (const name of skeletons) await rm(join(blobs, name))
  return runProgram<'ms' | 'extraBytes'>(project, ['make-skeleton.mjs', repoOf(size)], env)
}

async function memoryRows(suites: Suites, isQuick: boolean): Promise<Row[]> {
  const { what, rounds } = MEMORY_OF_FOUR
  const runs = await suites.measure(MEMORY_OF_FOUR, isQuick ? 1 : rounds, { countsPss: true })
  return ratioRows(
    `${what}: summed peak PSS, with the plugin against without`,
    'bytes',
    runs,
    (run) => run.pssBytes,
    0.65,
  )
}

async function inferenceRows(suites: Suites, isQuick: boolean): Promise<Row[]> {
  const { what, rounds } = RUNS_BY_FOUR
  const runs = await suites.measure(RUNS_BY_FOUR, isQuick ? 2 : rounds)
  return [
    ...ratioRows(
      `${what}: processor time of loading and running, with the plugin against without`,
      'ms',
      runs,
      modelMs,
      0.75,
    ),
    ...ratioRows(`${what}: processor time of the whole run`, 'ms', runs, cpuMs),
  ]
}

/** Measures `work`: by the clock, in processor time, and in memory that no other process shares. */
const MEASURED = `
  import { readFileSync } from 'node:fs'
  import { availableParallelism } from 'node:os'
  const anonymous = () => Number(/^Anonymous:\\s+(\\d+)/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8'))[1]) * 1024
  export async function measured(work) {
    const before = anonymous()
    const cpu = process.cpuUsage()
    const started = performance.now()
    const kept = await work()
    const loadMs = performance.now() - started
    const { user, system } = process.cpuUsage(cpu)
    const ownBytes = anonymous() - before
    console.log(JSON.stringify({ loadMs, loadCpuMs: (user + system) / 1000, ownBytes }))
    return kept
  }
`
const SESSION = `
  import { InferenceSession } from 'onnxruntime-node'
  import { openModelCache } from 'vitest-model-cache/cache'
  import { measured } from './measured.mjs'
  const cache = openModelCache()
  const file = (await cache.get(process.argv[2])).file('onnx/model.onnx')
`
const LOADERS = {
  'measured.mjs': MEASURED,
  'plain.mjs': `${SESSION}
    await measured(() => InferenceSession.create(file))
  `,
  'mapped.mjs': `${SESSION}
    const { way, reason } = await cache.pathToLoad(file)
    if (way !== 'mapped') throw new Error(reason)
    await measured(async () => InferenceSession.create((await cache.pathToLoad(file)).path))
  `,
  'theirs.mjs': `
    import { env, pipeline } from '@huggingface/transformers'
    import { measured } from './measured.mjs'
    env.cacheDir = './own-cache'
    env.remoteHost = process.env.HF_ENDPOINT + '/'
    await measured(() => pipeline('feature-extraction', process.argv[2]))
  `,
  'make-skeleton.mjs': `
    import { openModelCache } from 'vitest-model-cache/cache'
    const cache = openModelCache()
    const file = (await cache.get(process.argv[2])).file('onnx/model.onnx')
    const peak = () => process.resourceUsage().maxRSS * 1024
    const before = peak()
    const started = performance.now()
    const { way, reason } = await cache.pathToLoad(file)
    const ms = performance.now() - started
    if (way !== 'mapped') throw new Error(reason)
    console.log(JSON.stringify({ ms, extraBytes: peak() - before }))
  `,
}
