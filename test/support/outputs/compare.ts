import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { ModelCache } from '../../../src/cache/index.ts'
import type { Hub } from '../hub/index.ts'
import { feedsOf } from './feeds.ts'
import { type Loaded, type Runtime, runModel } from './runtimes.ts'
import type { Source } from './sources.ts'

/** How one file of a model was loaded, plainly and mapped. */
export interface Comparison {
  source: string
  file: string
  /** Bytes of the file. */
  size: number
  /** The bytes that are mapped. 0 for a file that is loaded plainly. */
  mappedBytes: number
  /** Why the file is loaded plainly. */
  reason: string | undefined
  /** For each runtime. Empty for a file that is loaded plainly. */
  outcomes: Outcome[]
  /** What is wrong. Empty when all is well. */
  faults: string[]
}

export interface Outcome {
  /** Of the outputs after a plain load. Undefined when this version of onnxruntime-node does not support the model. */
  hash: string | undefined
  /** Processor time to load, mapped against plain: the median of all rounds. */
  loadRatio: number | undefined
  /** How the loads differ. Undefined when they do not. */
  difference: string | undefined
  /** Why a plain load failed. */
  error: string | undefined
}

export interface Place {
  hub: Hub
  directory: string
  runtimes: readonly Runtime[]
  rounds: number
}

/** Caches the models of a source, and loads each of its files in both ways with each runtime. */
export async function* compareSource(place: Place, source: Source): AsyncGenerator<Comparison> {
  const repo = `made/${source.name.match(/\w+/g)?.join('-')}`
  const directory = join(place.directory, repo)
  await source.make(directory)
  place.hub.addRepo(repo, { directory })
  const cache = new ModelCache({
    cacheDir: join(place.directory, 'cache'),
    hub: { endpoint: place.hub.url, concurrency: 8 },
    offline: false,
    maxSize: 2 ** 35,
    maxAge: 86_400_000,
    env: {},
  })
  const model = await cache.get({ repo, files: ['**'] })
  for (const path of [...model.files.keys()].filter((name) => name.endsWith('.onnx')).sort())
    yield await compareFile(place, source, path, model.file(path), cache)
}

async function compareFile(
  { runtimes, rounds }: Place,
  { name, shapes = {}, mapped }: Source,
  path: string,
  file: string,
  cache: ModelCache,
): Promise<Comparison> {
  const { path: pathToLoad, way, reason } = await cache.pathToLoad(file)
  const size = (await stat(file)).size
  const isMapped = way === 'mapped'
  const outcomes: Outcome[] = []
  if (isMapped) {
    const own = Object.entries(shapes).find(([end]) => path.endsWith(end))?.[1] ?? {}
    const feeds = await feedsOf(file, own)
    for (const runtime of runtimes) {
      const pairs: [Loaded, Loaded][] = []
      for (let round = 0; round < rounds; round++)
        pairs.push([await runModel(runtime, file, feeds), await runModel(runtime, pathToLoad, feeds)])
      outcomes.push(outcomeOf(runtime, pairs))
    }
  }
  const faults = outcomes.flatMap(({ difference }) => difference ?? [])
  // Former versions do not support all types of numbers.
  if (outcomes[0]?.error !== undefined) faults.push(outcomes[0].error)
  if (!isMapped && mapped?.test(path)) faults.push('it is not mapped')
  return {
    source: name,
    file: path.split('/').at(-1) ?? path,
    size,
    mappedBytes: isMapped ? size - (await stat(pathToLoad)).size : 0,
    ...{ reason, outcomes, faults },
  }
}

/** Pairs of a plain and a mapped load. */
function outcomeOf({ version }: Runtime, pairs: [Loaded, Loaded][]): Outcome {
  const hashes = new Set(pairs.flat().map((loaded) => ('hash' in loaded ? loaded.hash : undefined)))
  const [hash] = hashes
  const ratios = pairs.flatMap(([plain, mapped]) =>
    'hash' in plain && 'hash' in mapped ? [mapped.loadMs / plain.loadMs] : [],
  )
  const inWords = () => `${version}: ${pairs.flat().map(wordsOf).join(', ')}`
  const [[plain] = []] = pairs
  return {
    hash,
    loadRatio: ratios.sort((a, b) => a - b)[Math.floor(ratios.length / 2)],
    difference: hashes.size > 1 ? inWords() : undefined,
    error: plain && 'error' in plain ? plain.error : undefined,
  }
}

function wordsOf(loaded: Loaded): string {
  return 'hash' in loaded ? loaded.hash.slice(0, 8) : loaded.error
}
