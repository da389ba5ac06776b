import type { Digest } from '../model/digest.ts'
import { type Access, entryKey } from '../model/entry.ts'
import { type HubPath, parseHubPath } from '../model/hub-path.ts'
import type { RepoId } from '../model/repo-id.ts'
import type { CachedModel } from './cached-model.ts'
import type { CacheContext } from './context.ts'
import { type GetOptions, getModel } from './get.ts'
import { findInManifest } from './manifest.ts'

/** One file of a repo that is there to be used. */
export interface CachedFile {
  path: HubPath
  /** The absolute path on disk. */
  file: string
  /** Bytes. */
  size: number
  digest: Digest
  /** Who may read the repo. */
  access: Access
  /** How it was served: the selection is this file alone. */
  served: CachedModel
}

/** Gives one file of a repo, bringing it in when it is missing. Throws as `getModel`; `FILE_NOT_FOUND` is definite. */
export async function getFile(
  context: CacheContext,
  { repo, revision }: { repo: RepoId; revision: string },
  path: string,
  options?: GetOptions,
): Promise<CachedFile> {
  const safe = parseHubPath(path, `File ${JSON.stringify(path)} of ${repo}`)
  const model = { repo, revision, selection: { paths: [safe] }, pin: false }
  const served = await getModel(context, model, { ...options, isPart: true })
  const known = await recordIn(context, served, safe)
  // Removed in between: the next look brings it in again.
  if (!known) return getFile(context, { repo, revision }, path, options)
  return { ...known, path: safe, file: served.file(safe), served }
}

async function recordIn(context: CacheContext, { repo, revision, commit }: CachedModel, path: HubPath) {
  const warmed = findInManifest(context.options.manifest, { repo, revision })
  const record = warmed?.commit === commit ? warmed.files.find(([name]) => name === path)?.[1] : undefined
  if (warmed && record) return { size: record.size, digest: record.digest, access: warmed.access }
  const metadata = await context.metadata()
  const entry = await metadata.find(entryKey({ repo, commit }))
  const file = entry?.files.get(path)
  return entry && file && { size: file.size, digest: file.digest, access: entry.access }
}
