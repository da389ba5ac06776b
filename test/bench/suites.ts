import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Hub, startHub } from '../support/hub/index.ts'
import { type EncoderSize, makeEncoder } from '../support/model-maker/index.ts'
import { ProjectFolder } from '../support/project-folder.ts'
import { cpuMs } from './cost-rows.ts'
import type { Cost } from './process.ts'
import { runVitest } from './programs.ts'
import { interleave, paired, type Sample, sample } from './rounds.ts'
import type { Row } from './row.ts'

/** A suite that is run with the plugin, and without it: there transformers.js has its own warm cache. */
export interface Suite {
  name: string
  what: string
  files: number
  /** The number of workers; default 1. */
  workers?: number
  /** The model that each file loads by an untouched `pipeline()`. Undefined if the suite asks for no model. */
  model?: EncoderSize
  /** How often each file runs the model; default 1. */
  inferences?: number
  /** True if no file ends before all have loaded their model. */
  waitsForAll?: boolean
  /** The number of small models that the plugin declares, and that no test uses. They are declared beside `model`. */
  unused?: number
  rounds: number
}

/** The cost of a whole run. */
export interface SuiteRun extends Cost {
  /** The processor time of its workers for loading and running the model, in milliseconds. */
  modelMs: number
}

/** The costs of whole runs, in pairs. */
export type Runs = Record<'ours' | 'theirs', SuiteRun[]>

/** Suites in a project, with a Hub. Their models are made once. */
export class Suites {
  readonly #served = new Set<string>()

  private constructor(
    readonly project: ProjectFolder,
    readonly hub: Hub,
  ) {}

  static async create(packageDirectory: string): Promise<Suites> {
    return new Suites(await ProjectFolder.create({ packageDirectory }), await startHub())
  }

  /** Runs a suite with and without the plugin, alternately. No measured run may ask the Hub. */
  async measure(suite: Suite, rounds: number, options: { countsPss?: boolean } = {}): Promise<Runs> {
    const repos = [suite.model === undefined ? [] : repoOf(suite.model), unusedOf(suite)].flat()
    for (const repo of repos) await this.serve(repo)
    await this.project.write(filesOf(suite))
    const run = (who: string) => async () => {
      const args = ['--config', `${suite.name}/${who}.config.mjs`]
      const cost = await runVitest(this.project, args, { HF_ENDPOINT: this.hub.url }, options)
      return { ...cost, modelMs: await takeModelMs(join(this.project.directory, suite.name)) }
    }
    const ways = { ours: run('ours'), theirs: run('theirs') }
    // A cold run, and a second one, so that each measured run has the records of two earlier runs to read.
    for (let round = 0; round < 2; round++) for (const cold of Object.values(ways)) await cold()
    this.hub.clearRequests()
    const found = await interleave(ways, rounds)
    if (this.hub.requests.length > 0) throw new Error('A warm run asked the Hub.')
    return found
  }

  /** Adds a repo to the Hub. Its name is the size of its encoder, or any other for a small model. */
  async serve(repo: string): Promise<void> {
    if (this.#served.has(repo)) return
    this.#served.add(repo)
    const size = SIZES.find((size) => repoOf(size) === repo)
    if (size === undefined) {
      this.hub.addRepo(repo, { files: { 'config.json': '{}', 'weights.bin': 'x'.repeat(10_000) } })
      return
    }
    const { directory } = await makeEncoder(join(this.project.directory, 'made', size), { size })
    this.hub.addRepo(repo, { directory, pipelineTag: 'feature-extraction' })
  }

  async remove(): Promise<void> {
    await this.hub.close()
    await this.project.remove()
  }
}

const SIZES: EncoderSize[] = ['small', 'base']

export function repoOf(size: EncoderSize): string {
  return `org/${size}`
}

/** A ratio of the runs with the plugin to the runs without, and the figures of both. */
export function ratioRows(
  what: string,
  unit: 'ms' | 'bytes',
  { ours, theirs }: Runs,
  of: (run: SuiteRun) => number | undefined,
  atMost?: number,
): Row[] {
  const [with_, without] = [ours, theirs].map((runs) => runs.map(of).filter((value) => value !== undefined))
  if (!with_?.length || !without?.length) return []
  const row = (name: string, value: Sample): Row => ({ what: `  ${name}`, unit, value })
  return [
    { what, unit: 'x', value: paired(with_, without), atMost },
    row('with the plugin', sample(with_)),
    row('without, transformers.js with its own cache', sample(without)),
  ]
}

export const wallMs = ({ wallMs }: Cost) => wallMs
export const modelMs = ({ modelMs }: SuiteRun) => modelMs
export { cpuMs }

/** The sum of what the test files measured in the last run. */
async function takeModelMs(folder: string): Promise<number> {
  const names = (await readdir(folder)).filter((name) => name.startsWith('model-ms-'))
  const each = await Promise.all(names.map(async (name) => Number(await readFile(join(folder, name), 'utf8'))))
  for (const name of names) await rm(join(folder, name))
  return each.reduce((sum, ms) => sum + ms, 0)
}

function unusedOf({ unused = 0 }: Suite): string[] {
  return Array.from({ length: unused }, (_, index) => `org/unused-${index}`)
}

function filesOf(suite: Suite): Record<string, string> {
  const { name, files, workers = 1, model } = suite
  const test = model === undefined ? ASKS_FOR_NONE : testOf(suite, model)
  const unused = unusedOf(suite)
  const declared = unused.length > 0 && model ? [repoOf(model), ...unused] : []
  return {
    ...Object.fromEntries(Array.from({ length: files }, (_, index) => [`${name}/${index}.test.js`, test])),
    [`${name}/ours.config.mjs`]: `
      import { modelCache } from 'vitest-model-cache'
      ${configOf(name, workers, `modelCache({ models: ${JSON.stringify(declared)} })`)}
    `,
    [`${name}/theirs.config.mjs`]: configOf(name, workers, ''),
  }
}

function configOf(folder: string, workers: number, plugins: string): string {
  return `export default {
    plugins: [${plugins}],
    test: { dir: '${folder}', maxWorkers: ${workers}, testTimeout: 120_000 },
  }`
}

const ASKS_FOR_NONE = `
  import { expect, test } from 'vitest'
  test('adds', () => expect(1 + 1).toBe(2))
`

function testOf({ inferences = 1, waitsForAll, files, name }: Suite, model: EncoderSize): string {
  const wait = `
    const folder = new URL('./loaded-' + process.ppid + '/', import.meta.url)
    mkdirSync(folder, { recursive: true })
    writeFileSync(new URL(String(process.pid), folder), '')
    while (readdirSync(folder).length < ${files}) await new Promise((resolve) => setTimeout(resolve, 10))
    // The bench looks every 50 ms.
    await new Promise((resolve) => setTimeout(resolve, 300))
  `
  return `
    import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
    import { env, pipeline } from '@huggingface/transformers'
    import { expect, test } from 'vitest'
    env.cacheDir = './own-cache'
    env.remoteHost = process.env.HF_ENDPOINT + '/'
    test('embeds (${name})', async () => {
      const before = process.cpuUsage()
      const embed = await pipeline('feature-extraction', '${repoOf(model)}')
      for (let count = 0; count < ${inferences}; count++) {
        const { dims } = await embed('A dog runs over the hill', { pooling: 'mean', normalize: true })
        expect(dims[0]).toBe(1)
      }
      const { user, system } = process.cpuUsage(before)
      writeFileSync(new URL('./model-ms-' + process.pid, import.meta.url), String((user + system) / 1000))
      ${waitsForAll ? wait : ''}
    })
  `
}
