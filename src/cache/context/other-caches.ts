import { realpath } from 'node:fs/promises'
import { huggingFaceCache } from '../../config/folders.ts'
import { HubFolder } from '../store/layout.ts'
import type { CacheContext } from './context.ts'

/** Caches from which files may be taken over: what the options name, and the user's own Hugging Face cache. */
export async function findOtherCaches(context: CacheContext): Promise<HubFolder[]> {
  const { adopt = true, adoptFrom = [] } = context.options
  // In workers the variable may name our own: then the user's is where it is by default.
  const byDefault = { ...context.env, HF_HUB_CACHE: undefined, HUGGINGFACE_HUB_CACHE: undefined }
  const named = [...adoptFrom, ...(adopt ? [huggingFaceCache(context.env), huggingFaceCache(byDefault)] : [])]
  const own = await realpath(context.layout.hub).catch(() => context.layout.hub)
  const folders = await Promise.all(named.map((path) => path && realpath(path).catch(() => undefined)))
  return [...new Set(folders)].flatMap((path) => (path && path !== own ? new HubFolder(path) : []))
}
