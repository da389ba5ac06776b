import { configSource } from '../config-source.ts'
import { twice, UNTOUCHED } from './fixture.ts'
import { type Lane, versionOf, type Workshop } from './lanes.ts'
import type { Task } from './table.ts'

/** A tree of packages with one library, or with several, and a test that uses them untouched. */
interface Library {
  name: string
  packages: string[]
  overrides?: Record<string, string>
  test: string
  /** How many requests of models a run reports. */
  requests: number
  /** Packages in whose folders copies would be. */
  ownCaches: string[]
  /** Whether it leaves copies of its own. */
  copies: boolean
}

const SURROUNDINGS: [pool: string, environment: string][] = [
  ['forks', 'node'],
  ['vmThreads', 'node'],
  // Its window brings a `fetch`, a `Response` and a `URL` of its own.
  ['forks', 'happy-dom'],
]
const WRAPPER = 'embedding-wrapper'

/** Versions of transformers.js, each in a tree of its own; last a tree with two of them. */
export async function librariesMatrix(
  workshop: Workshop,
  model: string,
  { library: wanted = '' }: { library?: string },
): Promise<Task[]> {
  const libraries = [
    single('@huggingface/transformers', '4.3.1', { copies: false }),
    single('@huggingface/transformers', '3.8.1', { copies: true }),
    // sharp 0.32 has no binary in the registry.
    single('@xenova/transformers', '2.17.2', { copies: true, overrides: { sharp: '^0.34.1' } }),
    await twoCopies(workshop),
  ].filter(({ name }) => name.includes(wanted))
  const tools = await Promise.all(['vitest', 'happy-dom'].map(async (name) => `${name}@${await versionOf(name)}`))
  const tasks: Task[] = []
  for (const library of libraries) {
    const { packages: own } = library
    const packages = [...tools, ...own]
    const lane = await workshop.installedLane(library.name.replaceAll('/', ' '), packages, library.overrides)
    tasks.push(...SURROUNDINGS.map((surroundings) => taskOf(library, lane, model, surroundings)))
  }
  return tasks
}

function taskOf(
  { name, test, requests, ownCaches, copies }: Library,
  lane: Lane,
  model: string,
  [pool, environment]: [string, string],
): Task {
  // Of two files at a time, one would read what the other is about to write to the library's own cache (3.x and 2.17).
  const config = `pool: '${pool}', environment: '${environment}', fileParallelism: false`
  return {
    labels: { library: name, pool, environment },
    lane,
    suite: {
      name: `${pool} ${environment}`,
      files: { 'vitest.config.mts': configSource({}, config), ...twice('embeds', test) },
      repos: { [UNTOUCHED]: model },
      // From the suite's folder.
      ownCaches: ownCaches.map((path) => `../../../node_modules/${path}/.cache`),
    },
    // One a test file, but for what lives on the copy that the first one left.
    expected: { requests, copies },
    turn: name,
  }
}

type Traits = Pick<Library, 'copies' | 'overrides'>

function single(id: string, version: string, { copies, overrides }: Traits): Library {
  const test = `
    import { expect, test } from 'vitest'
    import { pipeline } from '${id}'
    test('embeds', async () => {
      const embed = await pipeline('feature-extraction', '${UNTOUCHED}')
      expect((await embed('A dog', { pooling: 'mean', normalize: true })).dims).toEqual([1, 16])
    })
  `
  const name = `${id} ${version}`
  return { name, packages: [`${id}@${version}`], overrides, test, requests: copies ? 1 : 2, ownCaches: [id], copies }
}

/** 4.3.1 at the top and 3.8.1 below a package that wraps it; both used by one test file, as ESM and as CommonJS. */
async function twoCopies(workshop: Workshop): Promise<Library> {
  const wrapper = await workshop.pack(WRAPPER, {
    'package.json': JSON.stringify({
      name: WRAPPER,
      version: '1.0.0',
      exports: { import: './index.mjs', require: './index.cjs' },
      dependencies: { '@huggingface/transformers': '3.8.1' },
    }),
    'index.mjs': `export { env, pipeline } from '@huggingface/transformers'`,
    'index.cjs': `module.exports = require('@huggingface/transformers')`,
  })
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
      expect((await embed('A dog', { pooling: 'mean', normalize: true })).dims).toEqual([1, 16])
    })
  `
  const top = '@huggingface/transformers'
  return {
    name: '4.3.1 and, nested, 3.8.1',
    packages: [`${top}@4.3.1`, wrapper],
    // Two versions of it can't be loaded into one process: the second finds the first one's libonnxruntime.so.1.
    overrides: { 'onnxruntime-node': '1.30.0', 'onnxruntime-common': '1.30.0' },
    test,
    requests: 2,
    ownCaches: [top, `${WRAPPER}/node_modules/${top}`],
    copies: true,
  }
}
