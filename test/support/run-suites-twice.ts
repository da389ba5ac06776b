import { randomBytes } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { Consumer } from './consumer.ts'
import { sha256 } from './engine.ts'
import type { ModelsHub } from './models-hub.ts'
import type { RunResult } from './project-folder.ts'
import { type ColdAndWarm, runColdAndWarm } from './run-cold-and-warm.ts'
import { suitesInOneRun } from './suites-in-one-run.ts'

const HEAD = `import { afterEach, beforeEach, expect, test, vi } from 'vitest'`

export interface Suite {
  name: string
  /** The source of the test file, in which `ask` asks for the suite's model once. */
  source: (ask: string) => string
  /** The pools in which the suite runs. Default: forks. */
  pools?: string[]
  /** True if the config declares the model. Otherwise the worker downloads it, and has to wait and try again after an error. */
  isDeclared?: boolean
}

export interface Group {
  suites: Suite[]
  /** True if the Hub answers only with the right token. */
  isPrivate?: boolean
  /** The cache folder in the project. Default: one beside it. */
  cacheDir?: string
  setupFile?: string
  env?: Record<string, string>
}

let groups = 0

/**
 * Runs suites twice, all at once, which takes less than half of the time of separate runs. In the first run each model is
 * downloaded after an error; in the second one it is cached.
 */
export function runSuitesTwice({ hub, env }: ModelsHub, group: Group): void {
  const { isPrivate = false, cacheDir, setupFile } = group
  const prefix = `group-${++groups}`
  const cases = group.suites.flatMap(({ pools = ['forks'], ...suite }) => pools.map((pool) => ({ ...suite, pool })))
  const placed = cases.map((suite, index) => {
    const files = { 'config.json': '{}', 'onnx/weights.bin': randomBytes(300_000) }
    const repo = `org/${prefix}-${index}`
    const { commit } = hub.addRepo(repo, { files, private: isPrivate })
    // The path in the message shows that the model was served, without any function that the suite may have replaced.
    const ask = `expect(await models.path('${repo}')).toMatch(/snapshots.${commit}$/)`
    return { ...suite, repo, files, source: `${HEAD}\n${suite.source(ask)}`, file: String(index) }
  })
  const setup = setupFile === undefined ? '' : `, setupFiles: ['./setup.ts']`
  let runs: ColdAndWarm
  let folder = ''
  const started = Date.now()

  beforeAll(async () => {
    const suites = placed.map(({ file, source, pool }) => [file, { source, options: `pool: '${pool}'${setup}` }])
    const models = placed.flatMap(({ repo, isDeclared }) => (isDeclared ? [repo] : []))
    const project = await Consumer.createForTests({
      files: {
        ...suitesInOneRun(Object.fromEntries(suites), {
          models,
          ...(cacheDir !== undefined && { cacheDir: `./${cacheDir}` }),
        }),
        ...(setupFile !== undefined && { 'setup.ts': setupFile }),
      },
    })
    const own = { ...env, ...(cacheDir !== undefined && { MODEL_CACHE_DIR: '' }), ...group.env }
    folder = cacheDir === undefined ? project.cacheDir : join(project.directory, cacheDir)
    for (const { repo } of placed)
      hub.fault({ kind: 'resolve', repo, file: 'config.json' }, { status: 503 }, { times: 1 })
    runs = await runColdAndWarm(project, hub, own)
    return () => project.remove()
  })

  test.each(placed.map((one) => [one.name, one.pool, one] as const))(
    '%s, in the pool %s',
    async (_, __, { repo, files }) => {
      const { cold, warm, asked } = runs
      expect(cold.exitCode, cold.output).toBe(0)
      const of = (run: RunResult) => run.report?.models.find((model) => model.repo === repo)
      expect(of(cold), cold.output).toMatchObject({ requests: 1, tiers: { hub: 1 } })
      expect(asked.cold.filter((request) => request.repo === repo && request.status === 503)).toHaveLength(1)
      // The wait between the two tries lasted real time, and is counted.
      expect(of(cold)?.downloadMs).toBeGreaterThan(100)

      expect(warm.exitCode, warm.output).toBe(0)
      expect(of(warm), warm.output).toMatchObject({ requests: 1, tiers: { disk: 1 } })

      const snapshots = join(folder, 'hub', `models--${repo.replace('/', '--')}`, 'snapshots')
      const paths = await readdir(snapshots, { recursive: true })
      for (const [path, content] of Object.entries(files)) {
        const found = paths.filter((found) => found.endsWith(path))
        expect(found).toHaveLength(1)
        expect(sha256(await readFile(join(snapshots, String(found[0]))))).toBe(sha256(content))
      }
    },
  )

  test('no request failed, none was made when all was cached, and all dates are those of the real clock', async () => {
    const { cold, warm, asked } = runs
    const { length } = placed
    expect(cold.report).toMatchObject({ requests: length, misses: length, hits: 0, errors: [] })
    expect(warm.report).toMatchObject({
      requests: length,
      misses: 0,
      hits: length,
      errors: [],
      cache: { entries: length },
    })
    expect(asked.warm).toEqual([])
    const entries = JSON.parse(await readFile(join(folder, 'cache_metadata.json'), 'utf8'))
    expect(entries).toHaveLength(length)
    for (const { cachedDate, lastAccessDate } of entries)
      for (const date of [cachedDate, lastAccessDate]) {
        expect(Date.parse(date)).toBeGreaterThanOrEqual(started)
        expect(Date.parse(date)).toBeLessThanOrEqual(Date.now())
      }
  })
}
