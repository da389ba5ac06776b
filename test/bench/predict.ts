// What prediction spares and how good it is: a suite of 20 test files over 6 models.

import { removeFolder } from '../support/remove-folder.ts'
import { ColdProject } from './cold-project.ts'
import { interleave, paired, type Sample, sample } from './rounds.ts'
import type { BenchContext, Findings, Row } from './row.ts'
import { scanTimes } from './scan-times.ts'

const MIB = 2 ** 20
const FILES = 20
/** Bytes per second over all connections. */
const RATE = 50e6

interface Cold {
  ms: number
  bytes: number
}

/** How often a prediction was right, as sums over runs. */
interface Quality {
  used: number
  unused: number
  unpredicted: number
}

export async function predict({ packageDirectory, isQuick }: BenchContext): Promise<Findings> {
  const sizes = [1, 2, 5, 10, 20, 50].map((size) => (isQuick ? size / 10 : size) * MIB)
  const suite = await Suite.create(packageDirectory, sizes)
  try {
    const trained = await suite.trained()
    // The third file uses the third model.
    const cold = (warm: string) => () => suite.runCold(trained, [suite.nameOf(2)], { MODEL_CACHE_WARM: warm })
    const rounds = isQuick ? 2 : 7
    const runs = await interleave({ predicted: cold('predicted'), all: cold('all') }, rounds)
    const of = (way: keyof typeof runs, key: keyof Cold) => runs[way].map((run) => run[key])
    // Without a history, the sources of the test file tell which model it needs.
    const first = (env: Record<string, string>) => () => suite.runCold(undefined, [suite.nameOf(2)], env)
    const firsts = await interleave(
      {
        scanned: first({}),
        none: first({ MODEL_CACHE_WARM: 'none' }),
        declared: first({ DECLARED: suite.models.join() }),
      },
      rounds,
    )
    const ofFirst = (way: keyof typeof firsts, key: keyof Cold) => sample(firsts[way].map((run) => run[key]))
    const { used, unused, unpredicted } = await suite.quality(10)
    const ratio = (what: string, value: Sample): Row => ({ what, unit: 'x', value })
    const of10 = (part: number, whole: number) => sample([part / whole])
    return {
      rows: [
        { what: 'one of 20 files, cold: bytes, predicted', unit: 'bytes', value: sample(of('predicted', 'bytes')) },
        { what: '  all models of earlier runs', unit: 'bytes', value: sample(of('all', 'bytes')) },
        { what: 'one of 20 files, cold: whole run, predicted', unit: 'ms', value: sample(of('predicted', 'ms')) },
        { what: '  all models of earlier runs', unit: 'ms', value: sample(of('all', 'ms')) },
        ratio('  predicted against all (paired)', paired(of('predicted', 'ms'), of('all', 'ms'))),
        { what: '  without a history, by the scan: bytes', unit: 'bytes', value: ofFirst('scanned', 'bytes') },
        { what: '    whole run', unit: 'ms', value: ofFirst('scanned', 'ms') },
        { what: '    nothing warmed, so that the test downloads: whole run', unit: 'ms', value: ofFirst('none', 'ms') },
        { what: '    all six models declared: bytes', unit: 'bytes', value: ofFirst('declared', 'bytes') },
        ratio('10 shuffled runs of 5 files: predicted models that were used', of10(used, used + unused)),
        ratio('  used models that were predicted', of10(used, used + unpredicted)),
        ...(await scanTimes(isQuick ? 2 : 7)),
      ],
      notes: [
        'One of the 20 files changes its model after five of the ten runs. Its source names the new model, which is predicted. The former model is predicted once more.',
        'Without a history, declared models are all downloaded: what a test file needs besides what it names is not known.',
      ],
    }
  } finally {
    await suite.remove()
  }
}

class Suite {
  private constructor(
    private readonly cold: ColdProject,
    readonly models: string[],
  ) {}

  static async create(packageDirectory: string, sizes: number[]): Promise<Suite> {
    const cold = await ColdProject.create(packageDirectory, { 'vitest.config.mjs': CONFIG })
    const models = sizes.map((_, index) => `org/model-${index}`)
    for (const [index, bytes] of sizes.entries()) await cold.serveFiles(models[index] ?? '', [bytes])
    const suite = new Suite(cold, models)
    for (let file = 0; file < FILES; file++) await suite.write(file, file)
    cold.hub.throttle({ total: RATE })
    return suite
  }

  nameOf(file: number): string {
    return `file-${String(file).padStart(2, '0')}.test.js`
  }

  /** A cache folder with the record of a run of all files. */
  async trained(): Promise<string> {
    const folder = await this.cold.freshFolder()
    await this.run(folder, [])
    return folder
  }

  /** Runs test files with an empty cache that has the records of another one. */
  async runCold(trained: string | undefined, args: string[], env: Record<string, string>): Promise<Cold> {
    const folder = await (trained === undefined ? this.cold.freshFolder() : this.cold.freshFolderAfter(trained))
    this.cold.hub.clearRequests()
    const started = performance.now()
    await this.run(folder, args, env)
    const ms = performance.now() - started
    await removeFolder(folder)
    return { ms, bytes: (await this.cold.atHub()).wireBytes }
  }

  /** Runs of five files each, in another order each time. The first file takes part in each, and changes its model in between. */
  async quality(runs: number): Promise<Quality> {
    const folder = await this.trained()
    const sums: Quality = { used: 0, unused: 0, unpredicted: 0 }
    for (let run = 0; run < runs; run++) {
      if (run === Math.floor(runs / 2)) await this.write(0, 1)
      // Each file takes part in the same number of runs. 7 has no common factor with 19, the number of the other files.
      const files = [0, ...Array.from({ length: 4 }, (_, index) => 1 + (((run * 4 + index) * 7) % (FILES - 1)))]
      const report = await this.run(folder, [
        ...['--sequence.shuffle.files', `--sequence.seed=${run}`],
        ...files.map((file) => this.nameOf(file)),
      ])
      for (const key of ['used', 'unused', 'unpredicted'] as const) sums[key] += report?.prediction?.[key].length ?? 0
    }
    return sums
  }

  async remove(): Promise<void> {
    await this.cold.remove()
  }

  private write(file: number, model: number): Promise<void> {
    const repo = this.models[model % this.models.length]
    return this.cold.project.write({
      [this.nameOf(file)]: `
        import { test } from 'vitest'
        test('asks', async ({ models }) => { await models.file('${repo}', '0.bin') }, 60_000)
      `,
    })
  }

  private async run(folder: string, args: string[], env: Record<string, string> = {}) {
    const result = await this.cold.project.vitest(args, { ...this.cold.environment(folder), ...env })
    if (result.exitCode !== 0) throw new Error(result.output)
    return result.report
  }
}

const CONFIG = `
  import { modelCache } from 'vitest-model-cache'
  const models = process.env.DECLARED?.split(',')
  export default { plugins: [modelCache({ models, report: { outputFile: 'report.json' } })], test: { maxWorkers: 2 } }
`
