import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { execa } from 'execa'
import type { Report } from '../../../src/report/report.ts'
import { type Hub, startHub } from '../hub/index.ts'
import { cleanEnvironment } from '../project-folder.ts'
import { removeFolder } from '../remove-folder.ts'
import type { Lane } from './lanes.ts'

// A limit for runs that never end: on a busy machine a run can take minutes.
const RUN_WITHIN_MS = 300_000

/** A suite that is run twice, with its own Hub and cache. */
export interface Suite {
  name: string
  files: Record<string, string>
  /** The folders of generated models, by repo. */
  repos: Record<string, string>
  /** Folders in which the library under test would keep its own copies. */
  ownCaches: string[]
  /** Added to the environment. */
  env?: Record<string, string>
  /** True to run it in unit mode too. */
  hasMocks?: boolean
  /** What runs the suite. Default: `vitest run`. */
  program?: Program
  /** What runs the suite without this package. */
  plain?: Program
}

/** What Node.js runs. */
export interface Program {
  nodeArguments?: string[]
  /** In `node_modules`. */
  path: string
  args: string[]
}

export interface Run {
  requests: number
  /** Files that were downloaded more than once. */
  twice: string[]
  /** Bytes of downloads, for each byte of the distinct files that were downloaded. */
  bytesRatio: number
  ms: number
  exitCode: number
  output: string
  report: Report | undefined
}

export interface Outcome {
  cold: Run
  warm: Run
  /** The run in unit mode, if there is one. */
  unit?: Run
  /** The run without this package, if there is one. */
  plain?: Run
  /** Bytes outside our cache after the first run. They are removed before the second run, so that they cannot serve it. */
  copiedBytes: number
  /** The number of modules in the compile cache. */
  compiled: number
}

const VITEST: Program = { path: 'vitest/vitest.mjs', args: ['run'] }

/** Runs a suite with an empty cache, and again. */
export async function runTwice(lane: Lane, suite: Suite): Promise<Outcome> {
  const directory = join(lane.directory, 'suites', suite.name, 'app')
  await write(directory, suite.files)
  const hub = await startHub()
  try {
    for (const [name, made] of Object.entries(suite.repos))
      hub.addRepo(name, { directory: made, pipelineTag: 'feature-extraction' })
    const ownCaches = suite.ownCaches.map((path) => join(directory, path))
    const removeCopies = () => Promise.all(ownCaches.map((path) => removeFolder(path)))
    const runIn = (env?: Record<string, string>, program = suite.program) =>
      run(lane, directory, hub, { ...suite, env: { ...suite.env, ...env }, program })
    // Without this package, transformers.js does not know HF_ENDPOINT.
    const plain = suite.plain && (await runIn({ PLAIN_HUB: hub.url }, suite.plain))
    // Removes its copies, and those of another suite of the lane.
    await removeCopies()
    const cold = await runIn()
    const copiedBytes = await sumOf(ownCaches, bytesUnder)
    await removeCopies()
    const warm = await runIn()
    const compiled = await modulesIn(join(ownFolders(directory).MODEL_CACHE_DIR, 'compile'))
    const outcome = { cold, copiedBytes, compiled, warm, ...(plain && { plain }) }
    if (!suite.hasMocks) return outcome
    await removeCopies()
    return { ...outcome, unit: await runIn({ MODEL_CACHE_MODE: 'unit' }) }
  } finally {
    await hub.close()
  }
}

async function run(lane: Lane, directory: string, hub: Hub, { env, repos, program = VITEST }: Suite): Promise<Run> {
  const reportFile = join(directory, 'report.json')
  await rm(reportFile, { force: true })
  hub.clearRequests()
  const started = performance.now()
  const { nodeArguments = [], path, args } = program
  const cli = join(lane.directory, 'node_modules', path)
  const { exitCode = -1, all: output = '' } = await execa(lane.node, [...nodeArguments, cli, ...args], {
    cwd: directory,
    env: { ...cleanEnvironment(), ...ownFolders(directory), HF_ENDPOINT: hub.url, NO_COLOR: '1', ...env },
    ...{ extendEnv: false, reject: false, stdin: 'ignore', all: true, timeout: RUN_WITHIN_MS },
  })
  const ms = performance.now() - started
  await hub.idle()
  const downloads = hub.requests.filter(({ kind, method }) => kind === 'resolve' && method === 'GET')
  const names = downloads.map(({ repo, file }) => `${repo}/${file}`)
  const twice = [...new Set(names.filter((name, index) => names.indexOf(name) !== index))]
  const paths = new Map(downloads.map(({ repo = '', file = '' }) => [`${repo}/${file}`, join(repos[repo] ?? '', file)]))
  const bytes = hub.bytesSent(({ kind, method }) => method === 'GET' && (kind === 'resolve' || kind === 'cdn'))
  const report = await readFile(reportFile, 'utf8').then(JSON.parse, () => undefined)
  const bytesRatio = bytes / (await sumOf([...paths.values()], sizeOf))
  return { requests: hub.requests.length, twice, bytesRatio, ms, exitCode, output, report }
}

/** Folders for the runs, so that they do not use the token or the models of the machine's owner. */
function ownFolders(directory: string): Record<'MODEL_CACHE_DIR' | 'HF_HOME', string> {
  const parent = dirname(directory)
  return { MODEL_CACHE_DIR: join(parent, 'cache'), HF_HOME: join(parent, 'huggingface') }
}

async function write(directory: string, files: Record<string, string>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(directory, path)), { recursive: true })
    await writeFile(join(directory, path), content)
  }
}

async function modulesIn(folder: string): Promise<number> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  return found.filter((entry) => entry.isFile()).length
}

async function bytesUnder(directory: string): Promise<number> {
  const paths = await readdir(directory, { recursive: true }).catch(() => [])
  return sumOf(
    paths.map((path) => join(directory, path)),
    sizeOf,
  )
}

/** 0 if it is not a file. */
async function sizeOf(path: string): Promise<number> {
  const found = await stat(path).catch(() => undefined)
  return found?.isFile() ? found.size : 0
}

async function sumOf<Value>(values: Value[], of: (value: Value) => Promise<number>): Promise<number> {
  return (await Promise.all(values.map(of))).reduce((sum, value) => sum + value, 0)
}
