import { messageOf, nameOf } from '../../../model/errors.ts'
import { originals } from '../../../platform/originals.ts'
import { type ChunkMap, largestMap, parseMap, sourcesOf } from '../../../remote/chunk-map.ts'
import { mapKey } from '../../../remote/keys.ts'
import { readObject } from '../../../remote/read-object.ts'
import type { Remote } from '../../../remote/remote.ts'
import type { CacheContext } from '../../context/context.ts'
import type { OtherContent } from '../../lookup/contents-of-path.ts'
import { ChunkIndex } from '../../store/packs/chunk-index.ts'
import { type FileTarget, targetLabel } from '../file-target.ts'
import { type Failed, type Received, receiveBlob } from '../receive-blob.ts'
import { findLocal, NOTHING_LOCAL } from './local-bytes.ts'
import { MappedSource } from './mapped-source.ts'
import { bytesToRead, type LocalBytes, planPieces } from './pieces.ts'

interface Mapped {
  remote: Remote
  /** What this machine has of the file at other commits. */
  others: readonly OtherContent[]
}

/**
 * Gets a blob by its chunk map. What this machine has of it, on disk or packed, is not read from the remote. True if the blob is in the
 * cache now, with the stated digest.
 */
export async function restoreMapped(
  context: CacheContext,
  target: FileTarget,
  { remote, others }: Mapped,
): Promise<boolean> {
  const map = await readMap(context, target, remote)
  if (!map || !remote.isAsked) return false
  const index = new ChunkIndex(context.layout)
  const local = await findLocal(context, target, { map, others, index })
  const isAllRemote = bytesToRead(planPieces(map, local)) === map.size
  // There is nothing to gain: the map is that of the whole object.
  if (isAllRemote && sourcesOf(map).some(({ digest }) => digest === target.stated.digest)) return false
  const work = { map, index, remote }
  let received = await receiveFrom(context, target, { ...work, local })
  const isUnreadable = received.is === 'unreadable'
  const isLocalWrong = isUnreadable || (received.is === 'wrong' && !isAllRemote)
  if (isLocalWrong && remote.isAsked) {
    received = await receiveFrom(context, target, { ...work, local: NOTHING_LOCAL })
    // What can't be read may have been removed meanwhile.
    const flaw = isUnreadable ? 'could not be read' : 'is damaged'
    if (received.is === 'complete')
      context.warn(
        `Another revision of ${targetLabel(target)} in the cache ${flaw}. \`npx vitest-model-cache verify --repair\` repairs what is damaged.`,
      )
  }
  if (received.is !== 'complete') note(context, target, remote, received)
  return received.is === 'complete'
}

async function receiveFrom(
  context: CacheContext,
  target: FileTarget,
  { map, index, remote, local }: { map: ChunkMap; index: ChunkIndex; remote: Remote; local: LocalBytes },
): Promise<Received> {
  const { onBytes } = target
  const source = new MappedSource({ layout: context.layout, index }, remote, planPieces(map, local), onBytes)
  try {
    const received = await receiveBlob(context, target, { remote, source })
    if (received.is === 'complete') {
      // They were counted as bytes that are here already.
      onBytes.unpacked(source.unpackedBytes)
      onBytes.kept(-source.unpackedBytes)
    }
    return received
  } finally {
    await source.close()
  }
}

function note(context: CacheContext, target: FileTarget, remote: Remote, { is, reason }: Failed): void {
  const label = targetLabel(target)
  context.debug(`${label} could not be put together from ${remote.name}: ${reason}`)
  if (is === 'costly' || remote.leftAlone !== undefined) return
  if (is === 'wrong') remote.noteWrong(`${label}: ${reason}`)
  else if (is === 'absent') remote.noteLack(`It lacks a part of ${label}.`)
  else remote.noteFailure(reason)
}

async function readMap(context: CacheContext, target: FileTarget, remote: Remote): Promise<ChunkMap | undefined> {
  const { stated, signal = new originals.AbortController().signal, onBytes } = target
  try {
    const bytes = await readObject(remote, mapKey(stated.digest), { limit: largestMap(stated.size), signal })
    if (!bytes) return undefined
    // It crossed the network, and is no part of the file.
    onBytes.restored(bytes.byteLength)
    onBytes.kept(-bytes.byteLength)
    return parseMap(bytes, stated.size)
  } catch (error) {
    signal.throwIfAborted()
    const reason = `The chunk map of ${targetLabel(target)}: ${messageOf(error)}`
    if (nameOf(error) === 'NewerObject') context.debug(reason)
    else if (nameOf(error) === 'UnusableObject') remote.noteWrong(reason)
    else remote.noteFailure(reason)
    return undefined
  }
}
