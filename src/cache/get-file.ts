import type { Digest } from '../model/digest.ts'
import { type Access, entryKey } from '../model/entry.ts'
import { type HubPath, parseHubPath } from '../model/hub-path.ts'
import type { RepoId } from '../model/repo-id.ts'
import type { Commit } from '../model/revision.ts'
import type { CachedModel } from './cached-model.ts'
import type { CacheContext } from './context/context.ts'
import { filesInManifest, findInManifest, type ManifestModel } from './context/manifest.ts'
import { findModel, type GetOptions, whereUsable } from './get.ts'

/** One file of a repo, cached or not. */
export interface KnownFile {
  path: HubPath
  commit: Commit
  /** Bytes. */
  size: number
  digest: Digest
  /** Who may read the repo. */
  access: Access
}

/** One file of a repo that is in the cache. */
export interface CachedFile extends KnownFile {
  /** The absolute path on disk. */
  file: string
  /** How it was served, as a model whose selection is this file. */
  served: CachedModel
}

interface Revision {
  repo: RepoId
  revision: string
}

/** Returns one file of a repo, downloaded when it is missing. Throws as `getModel`; `FILE_NOT_FOUND` when the listing lacks it. */
export async function getFile(
  context: CacheContext,
  of: Revision,
  path: string,
  options: GetOptions = {},
): Promise<CachedFile> {
  const safe = parseHubPath(path, askedFor(of, path))
  const model = { ...of, selection: { paths: [safe] }, pin: false }
  return whereUsable(context, model, options, async (usable, signal) => {
    for (;;) {
      const served = await findModel(usable, model, { ...options, signal, isPart: true })
      const recorded = await recordIn(usable, served, safe)
      if (recorded) return { ...recorded, path: safe, commit: served.commit, file: served.file(safe), served }
      // The file was removed meanwhile. The next try downloads it again.
    }
  })
}

/**
 * Describes a file by its record, else by the repo's listing. The file is downloaded only when the cache
 * has no record of it and no listing of the repo. Throws as `getFile`.
 */
export async function describeFile(
  context: CacheContext,
  of: Revision,
  path: string,
  options: GetOptions = {},
): Promise<KnownFile> {
  const asked = askedFor(of, path)
  const safe = parseHubPath(path, asked)
  const model = { ...of, selection: { paths: [] }, pin: false }
  return whereUsable(context, model, options, async (usable, signal) => {
    const served = await findModel(usable, model, { ...options, signal, isPart: true })
    const { commit } = served
    const recorded = await recordIn(usable, served, safe)
    if (recorded) return { ...recorded, path: safe, commit }
    const { treeOf } = await import('./on-disk.ts')
    const tree = await treeOf(usable, served)
    // No listing is stored, and the lookup above asked for none.
    if (!tree) return getFile(usable, of, path, { ...options, signal })
    const stated = tree.get(safe)
    if (stated)
      return { path: safe, commit, size: stated.size, digest: stated.digest, access: await accessOf(usable, served) }
    const { noSuchFile } = await import('./selection/plan.ts')
    throw noSuchFile([...tree.keys()], safe, asked)
  })
}

/** Returns who may read a repo. Throws as `getFile`. */
export async function accessTo(context: CacheContext, of: Revision, options: GetOptions = {}): Promise<Access> {
  const model = { ...of, selection: { paths: [] }, pin: false }
  return whereUsable(context, model, options, async (usable, signal) =>
    accessOf(usable, await findModel(usable, model, { ...options, signal, isPart: true })),
  )
}

function askedFor({ repo }: Revision, path: string): string {
  return `File ${JSON.stringify(path)} of ${repo}`
}

/** The record of a cached file, from the manifest, else from the metadata. */
async function recordIn(
  context: CacheContext,
  served: CachedModel,
  path: HubPath,
): Promise<Pick<KnownFile, 'size' | 'digest' | 'access'> | undefined> {
  const warmed = warmedAt(context, served)
  const record = warmed && filesInManifest(warmed).get(path)
  if (warmed && record) return { size: record.size, digest: record.digest, access: warmed.access }
  const metadata = await context.metadata()
  const entry = await metadata.find(entryKey(served))
  const file = entry?.files.get(path)
  return entry && file && { size: file.size, digest: file.digest, access: entry.access }
}

async function accessOf(context: CacheContext, served: CachedModel): Promise<Access> {
  const known = warmedAt(context, served) ?? (await (await context.metadata()).find(entryKey(served)))
  return known?.access ?? 'unknown'
}

function warmedAt({ options }: CacheContext, { repo, revision, commit }: CachedModel): ManifestModel | undefined {
  const warmed = findInManifest(options.manifest, { repo, revision })
  return warmed?.commit === commit ? warmed : undefined
}
