import { existsSync } from 'node:fs'
import { join, relative } from 'node:path'
import { writeSources } from '../../../cache/store/entries/sources.ts'
import { originals } from '../../../platform/originals.ts'
import type { Project } from '../../project.ts'
import type { NamedModels, ProjectPlaces, Queue } from '../../queue.ts'
import { namedModels } from './named-models.ts'
import { SourceFiles } from './source-files.ts'

/**
 * Reads which models the queued test files name: in their sources, and in the project's files that they import. `keptBefore`:
 * what the last scan kept. What is not read `withinMs` is read by the next run.
 */
export async function scanQueue(
  { root, options, cache }: Pick<Project, 'root' | 'options' | 'cache'>,
  { files: queued, testNamePattern }: Queue,
  places: ProjectPlaces,
  { keptBefore, withinMs }: { keptBefore: unknown; withinMs: number },
): Promise<ReadonlyMap<string, NamedModels>> {
  const { setupFiles } = places
  const sources = new SourceFiles({ root, ...places }, keptBefore, originals.monotonic() + withinMs)
  const testFiles = queued.map((file) => join(root, file))
  await sources.read([...testFiles, ...setupFiles])
  const { files, isWhole } = sources
  const asked = { testFiles, setupFiles, sources: files, isWhole, bases: options.intercept, testNamePattern }
  const named = namedModels(asked)
  const kept = sources.toKeep(named)
  if (kept) await keep(cache, root, kept)
  return new Map([...named].map(([path, each]) => [relative(root, path), withoutFolders(each, root)]))
}

/** A cache that can't be written has no such file. Then the next run reads the sources again. */
async function keep(cache: Project['cache'], root: string, kept: object): Promise<void> {
  await cache.prepare()
  if (await cache.isWritable()) await writeSources(cache.context.layout, root, kept).catch(() => undefined)
}

/** transformers.js takes an id for a folder of the project, if there is such a folder. */
function withoutFolders(named: NamedModels, root: string): NamedModels {
  return { ...named, models: named.models.filter(({ repo }) => !existsSync(join(root, repo))) }
}
