import { configSource } from '../config-source.ts'
import { UNTOUCHED } from './fixture.ts'
import { type Lane, versionOf, type Workshop } from './lanes.ts'
import type { Task } from './table.ts'
import { ONE_RUNTIME, packWrapper, WRAPPER } from './wrapper.ts'

/** A tree of packages with one or several versions of a library, and a test that uses them untouched. */
interface Library {
  name: string
  packages: string[]
  overrides?: Record<string, string>
  test: string
  /** Packages whose folders would hold copies of the files. */
  ownCaches: string[]
}

const SURROUNDINGS: [pool: string, environment: string][] = [
  ['forks', 'node'],
  // Not vmThreads: the process aborts when several threads use onnxruntime-node 1.21 (of 3.8), even without this package.
  ['vmForks', 'node'],
  // The window of happy-dom has its own `fetch`, `Response` and `URL`.
  ['forks', 'happy-dom'],
]
const CROWD = 4

/** Versions of transformers.js, each in a separate tree; the last tree has two versions. */
export async function librariesMatrix(
  workshop: Workshop,
  model: string,
  { library: wanted = '' }: { library?: string },
): Promise<Task[]> {
  const libraries = [
    single('@huggingface/transformers', '4.3.1'),
    single('@huggingface/transformers', '4.0.1'),
    single('@huggingface/transformers', '3.8.1'),
    // The files of its package have other names up to 3.4.
    single('@huggingface/transformers', '3.0.2'),
    // sharp 0.32 has no binary in the registry.
    single('@xenova/transformers', '2.17.2', { sharp: '^0.34.1' }),
    await twoCopies(workshop),
  ].filter(({ name }) => name.includes(wanted))
  const tools = await Promise.all(['vitest', 'happy-dom'].map(async (name) => `${name}@${await versionOf(name)}`))
  const tasks: Task[] = []
  for (const library of libraries) {
    const { packages: own } = library
    const packages = [...tools, ...own]
    const lane = await workshop.installedLane(library.name.replaceAll('/', ' '), packages, {
      overrides: library.overrides,
    })
    tasks.push(...SURROUNDINGS.map((surroundings) => taskOf(library, lane, model, surroundings)))
  }
  return tasks
}

function taskOf(
  { name, test, ownCaches }: Library,
  lane: Lane,
  model: string,
  [pool, environment]: [string, string],
): Task {
  // All test files load the model at the same time, and the library's own cache is empty before each run.
  const config = `pool: '${pool}', environment: '${environment}', maxWorkers: ${CROWD}`
  const files = Array.from({ length: CROWD }, (_, index) => [`embeds-${index}.test.js`, test])
  return {
    labels: { library: name, pool, environment },
    lane,
    suite: {
      name: `${pool} ${environment}`,
      files: { 'vitest.config.mts': configSource({}, config), ...Object.fromEntries(files) },
      repos: { [UNTOUCHED]: model },
      // Relative to the suite's folder.
      // Before version 3 there are no mocks.
      hasMocks: !name.startsWith('@xenova'),
      ownCaches: ownCaches.map((path) => `../../../node_modules/${path}/.cache`),
    },
    // Each test file makes one request, and no copy may be left.
    expected: { requests: CROWD },
    turn: name,
  }
}

function single(id: string, version: string, overrides?: Record<string, string>): Library {
  const test = `
    import { expect, test } from 'vitest'
    import { pipeline } from '${id}'
    test('embeds', async () => {
      const embed = await pipeline('feature-extraction', '${UNTOUCHED}')
      expect((await embed('A dog', { pooling: 'mean', normalize: true })).dims).toEqual([1, process.env.MODEL_CACHE_MODE === 'unit' ? 384 : 16])
    })
  `
  const name = `${id} ${version}`
  return { name, packages: [`${id}@${version}`], overrides, test, ownCaches: [id] }
}

/** Version 4.3.1 at the top, and 3.8.1 below a wrapper package. One test file uses both, as ESM and as CommonJS. */
async function twoCopies(workshop: Workshop): Promise<Library> {
  const wrapper = await packWrapper(workshop)
  const test = `
    import { createRequire } from 'node:module'
    import { expect, test } from 'vitest'
    import * as top from '@huggingface/transformers'
    import * as nested from '${WRAPPER}'
    const require = createRequire(import.meta.url)
    const copies = { top, nested, requiredTop: require('@huggingface/transformers'), requiredNested: require('${WRAPPER}') }
    test.each(Object.entries(copies))('%s embeds', async (name, { env, pipeline }) => {
      expect(env.version).toBe(/top/i.test(name) ? '4.3.1' : '3.8.1')
      const embed = await pipeline('feature-extraction', '${UNTOUCHED}')
      expect((await embed('A dog', { pooling: 'mean', normalize: true })).dims).toEqual([1, process.env.MODEL_CACHE_MODE === 'unit' ? 384 : 16])
    })
  `
  const top = '@huggingface/transformers'
  return {
    name: '4.3.1 and, nested, 3.8.1',
    packages: [`${top}@4.3.1`, wrapper],
    overrides: ONE_RUNTIME,
    test,
    ownCaches: [top, `${WRAPPER}/node_modules/${top}`],
  }
}
