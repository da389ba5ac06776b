import { sep } from 'node:path'
import { messageOf } from '../model/errors.ts'
import type { CacheContext } from './context/context.ts'
import type { PathToLoad } from './context/decided-path.ts'
import { decidePath, plain } from './lookup/mapped-path.ts'
import { type FileStamp, isAsRecorded, stampOf } from './store/blobs.ts'
import { isOnnxFile } from './store/skeletons/skeleton-file.ts'

/**
 * Returns the path that a runtime is to open for a file that this cache served. Makes the small file for mapped loading when it is
 * missing. Never throws: for a file that can't be mapped, and for one that is not from this cache, returns the path as it is.
 */
export async function pathToLoad(context: CacheContext, file: string): Promise<PathToLoad> {
  if (context.options.load === 'plain') return plain(file, 'the option `load` is set to plain')
  if (!isOnnxFile(file)) return plain(file, 'it is no .onnx file')
  try {
    const owner = await ownerOf(context, file)
    if (!owner) return plain(file, 'it is no file of this cache')
    const known = owner.pathsToLoad.get(file)
    if (known?.stamps.every(({ path, stamp }) => isSame(stampOf(path), stamp))) return known.answer
    const answer = await decidePath(owner, file)
    const stamps = [file, answer.path].map((path) => ({ path, stamp: stampOf(path) }))
    owner.pathsToLoad.set(file, { answer, stamps })
    return answer
  } catch (error) {
    return plain(file, messageOf(error))
  }
}

/** The cache that the file belongs to: this one, or the temporary one that replaces it. */
async function ownerOf(context: CacheContext, file: string): Promise<CacheContext | undefined> {
  const isOf = ({ layout }: CacheContext) => file.startsWith(layout.hub + sep)
  if (isOf(context)) return context
  const temporary = await context.openedTemporary
  return temporary && isOf(temporary) ? temporary : undefined
}

function isSame(now: FileStamp | undefined, before: FileStamp | undefined): boolean {
  return now === undefined ? before === undefined : isAsRecorded(now, before)
}
