import { relative } from 'node:path'
import { readSources as readKept } from '../../cache/store/entries/sources.ts'
import { withTimeLimit } from '../../platform/originals.ts'
import { untilAborted } from '../../platform/until-aborted.ts'
import type { Project } from '../project.ts'
import type { NamedModels, ProjectPlaces, Queue } from '../queue.ts'
import { modelOfUse } from './choice/last-used.ts'
import { distinct } from './choice/models-to-warm.ts'
import { type KeptTest, parseKept, toKey, unchangedTests } from './kept-sources.ts'

// A run must not wait for its sources longer than this.
const READ_WITHIN_MS = 1_000

/**
 * Reads which models the queued test files name, where that decides what is warmed. Undefined if it does not, or if it is not possible:
 * it never fails a run. Neither the scan nor the parser is loaded if no source file has changed since the last scan.
 */
export async function readSources(
  project: Pick<Project, 'root' | 'options' | 'cache'>,
  queue: Queue | undefined,
  withinMs = READ_WITHIN_MS,
): Promise<ReadonlyMap<string, NamedModels> | undefined> {
  const { root, options, cache } = project
  if (options.warm !== 'predicted' || !queue || queue.files.length === 0) return undefined
  try {
    const places = queue.places?.() ?? { folders: [root], setupFiles: [] }
    const name = nameOf(root, places)
    const kept = parseKept(readKept(cache.context.layout, name))
    const setupFiles = places.setupFiles.map((path) => relative(root, path))
    const scan = async () => {
      const { scanTests } = await import('./scan/scan.ts')
      return scanTests({ project, testFiles: queue.files, places, kept, name, withinMs })
    }
    const hasAll = queue.files.every((file) => kept.tests.has(toKey(file)))
    const unchanged = hasAll && unchangedTests(kept, root, [...queue.files, ...setupFiles].map(toKey))
    const tests = unchanged || (await within(2 * withinMs, scan))
    return new Map(queue.files.flatMap((file) => namedBy(file, tests.get(toKey(file)), queue)))
  } catch {
    return undefined
  }
}

/** Throws if the scan takes longer: a resolver of the runner may never answer. */
function within<Result>(ms: number, scan: () => Promise<Result>): Promise<Result> {
  const late = () => new Error('The scan takes too long.')
  return withTimeLimit(ms, undefined, late, (signal) => untilAborted(signal, scan()))
}

/** The name under which the sources are kept: projects of one root may find their modules in other places. */
function nameOf(root: string, { setupFiles, resolvedBy }: ProjectPlaces): string {
  return JSON.stringify([root, setupFiles, resolvedBy])
}

/** The models that those tests of a file name that run. */
function namedBy(file: string, test: KeptTest | undefined, queue: Queue): [string, NamedModels][] {
  if (!test) return []
  const { testNamePattern, testNameFlags } = queue
  const pattern = testNamePattern === undefined ? undefined : new RegExp(testNamePattern, testNameFlags)
  const runs = ({ test }: { test?: string }) => test === undefined || !pattern || test.search(pattern) >= 0
  const models = test.models.filter(runs).flatMap((model) => modelOfUse(model) ?? [])
  const ids = test.ids.filter(runs).map(({ id }) => id)
  return [[file, { models: distinct(models), ids: [...new Set(ids)], isWhole: test.isWhole, digest: test.digest }]]
}
