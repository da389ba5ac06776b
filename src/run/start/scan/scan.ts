import { relative } from 'node:path'
import { writeSources } from '../../../cache/store/entries/sources.ts'
import { originals } from '../../../platform/originals.ts'
import type { Project } from '../../project.ts'
import type { ProjectPlaces } from '../../queue.ts'
import { statOf } from '../find-source.ts'
import { type KeptSources, type KeptTest, storeKept, toKey } from '../kept-sources.ts'
import { leadingTo, reachedFrom } from './reach.ts'
import { SourceFiles } from './source-files.ts'
import { TestScan } from './test-scan.ts'

interface Asked {
  project: Pick<Project, 'root' | 'cache'>
  /** Relative to the project's root. */
  testFiles: string[]
  places: ProjectPlaces
  kept: KeptSources
  /** The name under which the sources are kept. */
  name: string
  /** What is not read until then is read by the next run. */
  withinMs: number
}

/** In place of what a test file names that could not be read in time. */
const CUT: KeptTest = { models: [], ids: [], isWhole: false, digest: 'cut' }

/**
 * Finds which models test files name in their sources, and in the project's files that they import. Returns that by key.
 * 1. `source-files.ts` reads what has changed, and glances at the text. 2. `parse-module.ts` parses the files that name something, and
 * those that import them. 3. `find-loads.ts` finds the calls in them that load models. `evaluate.ts` finds the values of their
 * arguments, and `model-of-call.ts` says which model that is. 4. `test-scan.ts` takes together what runs with one test file.
 */
export async function scanTests(asked: Asked): Promise<ReadonlyMap<string, KeptTest>> {
  const { project, places, kept } = asked
  const { root } = project
  const deadline = originals.monotonic() + asked.withinMs
  const sources = new SourceFiles(root, places, new Map(kept.files), deadline)
  const testFiles = asked.testFiles.map(toKey)
  const setupFiles = places.setupFiles.map((path) => toKey(relative(root, path)))
  const isRead = await sources.read([...setupFiles, ...testFiles])

  const stale = leadingTo(sources.changed, sources.files)
  const isStale = setupFiles.some((key) => stale.has(key))
  const tests = new Map([...kept.tests].filter(([key]) => !isStale && !stale.has(key) && statOf(sources.pathOf(key))))
  const scan = new TestScan(sources)
  const cut = new Map<string, KeptTest>()
  for (const testFile of testFiles) {
    if (tests.has(testFile) || !sources.files.has(testFile)) continue
    const named = isRead ? await scan.namedBy(testFile, setupFiles) : undefined
    if (named) tests.set(testFile, named)
    else cut.set(testFile, CUT)
  }
  await keep(asked, { files: sources.files, tests }, [...testFiles, ...setupFiles])
  return new Map([...tests, ...cut])
}

/** A cache that can't be written has no such file. Then the next run reads the sources again. */
async function keep({ project, name }: Asked, { files, tests }: KeptSources, queued: string[]): Promise<void> {
  const { cache } = project
  await cache.prepare()
  if (!(await cache.isWritable())) return
  const used = reachedFrom([...tests.keys(), ...queued], files)
  const kept = { files: new Map([...files].filter(([key]) => used.has(key))), tests }
  await writeSources(cache.context.layout, name, storeKept(kept)).catch(() => undefined)
}
