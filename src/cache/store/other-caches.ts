import { realpath } from 'node:fs/promises'
import { huggingFaceCache } from '../../config/folders.ts'
import { HubFolder, type Layout } from './layout.ts'

/** The options that name the caches from which files may be adopted. */
interface Adoption {
  /** True: also from the user's own Hugging Face cache. */
  adopt?: boolean
  /** The `hub` folders of other caches. */
  adoptFrom?: string[]
  env: Readonly<Record<string, string | undefined>>
}

/** The caches from which files may be adopted: those that the options name, and the user's own Hugging Face cache. */
export async function findOtherCaches(
  { hub }: Layout,
  { adopt = true, adoptFrom = [], env }: Adoption,
): Promise<HubFolder[]> {
  // In a worker the variable may name our own cache. The user's own cache is then at its default place.
  const byDefault = { ...env, HF_HUB_CACHE: undefined, HUGGINGFACE_HUB_CACHE: undefined }
  const named = [...adoptFrom, ...(adopt ? [huggingFaceCache(env), huggingFaceCache(byDefault)] : [])]
  const own = await realpath(hub).catch(() => hub)
  const folders = await Promise.all(named.map((path) => path && realpath(path).catch(() => undefined)))
  return [...new Set(folders)].flatMap((path) => (path && path !== own ? new HubFolder(path) : []))
}
