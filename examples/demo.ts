// Runs `examples/embeddings` twice, as a user would run it: with an empty cache, and again. Then compares mapped with plain loading.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { formatDuration, formatSize } from '../src/config/units.ts'
import { childTicks } from '../test/bench/process.ts'
import { startHub } from '../test/support/hub/index.ts'
import { makeEncoder } from '../test/support/model-maker/index.ts'
import { ProjectFolder, type RunResult } from '../test/support/project-folder.ts'
import { Failure, type Settings, settingsOf, USAGE } from './demo-options.ts'

// What the stand-in lets through over all connections, some 170 Mbit/s, and the delay of a server far away.
const BANDWIDTH = { total: 20 * 2 ** 20, latencyMs: 30 }
/** The ways to load a model, as MODEL_CACHE_LOAD names them. */
const WAYS = ['mapped', 'plain'] as const
type Way = (typeof WAYS)[number]

const REACH_WITHIN_MS = 15_000

/** Where the runs download from. */
interface Source {
  url: string
  /** What it sent since this was last called; undefined where nobody counts. */
  takeTraffic?: () => Promise<Traffic>
}

interface Traffic {
  requests: number
  bytes: number
}

interface Run extends RunResult {
  name: string
  ms: number
  traffic: Traffic | undefined
}

const stopped = new AbortController()
const cleanUps: (() => Promise<void>)[] = []
process.on('SIGINT', () => stopped.abort(new Failure('Interrupted.', 130)))
process.on('SIGTERM', () => stopped.abort(new Failure('Terminated.', 143)))

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof Failure)) throw error
  console.error(error.message)
  process.exitCode = error.exitCode
} finally {
  for (const cleanUp of cleanUps.reverse()) await cleanUp()
}

/** Gives the exit code. */
async function main(args: string[]): Promise<number> {
  const settings = settingsOf(args)
  if (settings === undefined) {
    console.log(USAGE)
    return 0
  }
  const source = settings.hub === undefined ? await serveMadeModel(settings) : await reachHub(settings.hub, settings)
  const project = await openProject()
  const runs = await runTwice(project, source, settings)
  const isGreen = runs.every(({ exitCode }) => exitCode === 0)
  const loading = isGreen ? await compareLoading(project, source, settings) : []
  console.log([...summary(runs), ...loading].join('\n'))
  return runs.at(-1)?.exitCode ?? 0
}

async function serveMadeModel({ model, size }: Settings): Promise<Source> {
  const directory = await mkdtemp(join(tmpdir(), 'made model '))
  cleanUps.push(() => rm(directory, { recursive: true, force: true }))
  const { totalBytes } = await makeEncoder(directory, { size })
  const hub = await startHub()
  cleanUps.push(() => hub.close())
  hub.addRepo(model, { directory, pipelineTag: 'feature-extraction' })
  hub.throttle(BANDWIDTH)
  console.log(
    `A made encoder of ${formatSize(totalBytes)} stands in for ${model}, at ${formatSize(BANDWIDTH.total)}/s.`,
  )
  const takeTraffic = async () => {
    await hub.idle()
    const traffic = { requests: hub.requests.length, bytes: hub.bytesSent() }
    hub.clearRequests()
    return traffic
  }
  return { url: hub.url, takeTraffic }
}

async function reachHub(url: string, { model }: Settings): Promise<Source> {
  const signal = AbortSignal.any([stopped.signal, AbortSignal.timeout(REACH_WITHIN_MS)])
  const response = await fetch(`${url}/api/models/${model}`, { signal }).catch((error: Error) => {
    stopped.signal.throwIfAborted()
    const why = error.cause instanceof Error ? error.cause.message : error.message
    throw new Failure(`${url} can't be reached: ${why}\nWithout --hub the demo needs no network.`, 1)
  })
  if (!response.ok) throw new Failure(`${url} does not give ${model} to everybody: HTTP ${response.status}.`, 1)
  console.log(`${model} from ${url}.`)
  return { url }
}

async function openProject(): Promise<ProjectFolder> {
  const project = await ProjectFolder.create({
    packageDirectory: fileURLToPath(new URL('..', import.meta.url)),
    template: fileURLToPath(new URL('embeddings', import.meta.url)),
    reportFile: 'model-cache-report.json',
  })
  cleanUps.push(() => project.remove())
  return project
}

/** Both runs, or the first one alone if it failed. */
async function runTwice(project: ProjectFolder, source: Source, { model }: Settings): Promise<Run[]> {
  const env = { HF_ENDPOINT: source.url, EMBEDDING_MODEL: model }
  const runs: Run[] = []
  for (const name of ['cold', 'warm']) {
    console.log(`\n${name === 'cold' ? '1. Cold: the cache is empty.' : '2. Warm: the same again.'}`)
    const started = performance.now()
    const result = await runTests(project, env, true)
    const ms = performance.now() - started
    runs.push({ ...result, name, ms, traffic: await source.takeTraffic?.() })
    if (result.exitCode !== 0) break
  }
  return runs
}

async function runTests(project: ProjectFolder, env: Record<string, string>, live: boolean): Promise<RunResult> {
  stopped.signal.throwIfAborted()
  // As many workers as test files: all of them ask for the model at once.
  const result = await project.vitest(['--maxWorkers=3'], env, { live, signal: stopped.signal })
  stopped.signal.throwIfAborted()
  return result
}

/** Runs the warm suite several times more in both ways, in turn, and says how long loading took. */
async function compareLoading(project: ProjectFolder, source: Source, { model, rounds }: Settings): Promise<string[]> {
  if (rounds === 0) return []
  console.log(`\n3. Warm, ${rounds} times more in each way: with mapped loading, and with MODEL_CACHE_LOAD=plain.\n`)
  const loads: Record<Way, number[]> = { mapped: [], plain: [] }
  const processor: Record<Way, number[]> = { mapped: [], plain: [] }
  for (let round = 0; round < rounds; round++)
    for (const way of WAYS) {
      const before = await childTicks()
      const env = { HF_ENDPOINT: source.url, EMBEDDING_MODEL: model, MODEL_CACHE_LOAD: way }
      const { report } = await runTests(project, env, false)
      const after = await childTicks()
      loads[way].push(...(report?.models ?? []).flatMap(({ loadMs }) => loadMs ?? []))
      if (before && after) processor[way].push(after.userMs + after.systemMs - before.userMs - before.systemMs)
    }
  return [
    `A load took ${inBothWays(loads)}.`,
    ...(processor.plain.length > 0 ? [`The processor time of a whole run was ${inBothWays(processor)}.`] : []),
  ]
}

/** The medians of milliseconds. */
function inBothWays(times: Record<Way, number[]>): string {
  const [mapped, plain] = [median(times.mapped), median(times.plain)]
  return `${formatDuration(mapped)} mapped and ${formatDuration(plain)} plain: ${(mapped / plain).toFixed(2)}x`
}

function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

function summary(runs: Run[]): string[] {
  const rows = runs.map(({ name, ms, traffic, report, exitCode }) => [
    name,
    formatDuration(ms),
    traffic ? String(traffic.requests) : 'not counted',
    traffic ? formatSize(traffic.bytes) : 'not counted',
    report ? `${report.hits} of ${report.requests}` : 'none',
    exitCode === 0 ? 'passed' : `failed (${exitCode})`,
  ])
  const table = [['run', 'wall time', 'requests', 'on the wire', 'hits', 'tests'], ...rows]
  const [cold, warm] = runs
  const speedUp = cold && warm ? [`The warm run was ${(cold.ms / warm.ms).toFixed(1)} times as fast.`] : []
  const lines = table.map(([name = '', ...cells]) => name.padEnd(4) + cells.map((cell) => cell.padStart(13)).join(''))
  return ['Summary', '', ...lines.map((line) => `  ${line}`), '', ...speedUp]
}
