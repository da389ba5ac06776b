import { SMALLEST_MAPPED_FILE } from '../../model/remote-object.ts'
import { linkedController } from '../../platform/originals.ts'
import { type MappedPart, printMap } from '../../remote/chunk-map.ts'
import { blobKey, mapKey } from '../../remote/keys.ts'
import { isAsRecorded, stampOf } from '../store/blobs.ts'
import { cutFile, type FileChunk } from '../store/packs/cut-file.ts'
import { chunksIn, usableMap } from './chunk-maps.ts'
import { differenceOf } from './difference.ts'
import type { OtherContents } from './other-contents.ts'
import { SpansBody } from './spans-body.ts'
import { bodyOf, ForeignObject, type Sent, type Upload } from './upload.ts'
import { DamagedFile, type LocalFile, VerifiedBody } from './verified-body.ts'

export interface BlobOptions {
  count: Sent
  /** What the store has of the file at other commits. */
  other: OtherContents
}

/**
 * Writes a file into the store: only its difference from what the store has of it at other commits, or the whole. A large file gets a chunk
 * map, too. Throws as `uploadModel`.
 */
export async function uploadBlob(upload: Upload, file: LocalFile, options: BlobOptions): Promise<void> {
  const { count, other } = options
  const key = blobKey(file.digest)
  const there = await upload.has(key)
  if (there?.size !== undefined && there.size !== file.size)
    throw new ForeignObject(`${key} has ${there.size} bytes, and the file of this name has ${file.size} bytes.`)
  // Without ranges, a part of an object costs the whole object.
  const isMapped = file.size >= SMALLEST_MAPPED_FILE && !upload.store.lacksRanges
  if (there) count.present(file.size)
  if (!isMapped) return there ? undefined : uploadWhole(upload, file, count)
  // In a folder, a first revision gets no map: it would double the time. A later revision makes the map from the object.
  const { isNear } = upload.store
  // The push before may have been killed, or was that of an earlier version of this package.
  if (there)
    return isNear || (await upload.has(mapKey(file.digest))) ? undefined : uploadMapOfWhole(upload, file, count)
  if (await usableMap(upload, file)) return count.present(file.size)
  const known = chunksIn(await other.mapsOf(file))
  if (known.size > 0) return uploadAgainst(upload, file, { known, count })
  await (isNear ? uploadWhole : uploadWithMap)(upload, file, count)
}

/** Writes what is new of a file, and then its map. Writes the whole file if too much is new, or if the store sends no ranges. */
async function uploadAgainst(
  upload: Upload,
  file: LocalFile,
  { known, count }: { known: ReturnType<typeof chunksIn>; count: Sent },
): Promise<void> {
  const { signal } = upload.options
  const verified = { path: file.path, stamp: stampOf(file.path) }
  const chunks = await cut(file, signal)
  const difference = differenceOf(chunks, known)
  const [place] = known.values()
  // Only a read shows whether a web server ignores `Range`.
  if (difference && place) await upload.readStart(blobKey(place.source.digest), 1)
  if (upload.store.lacksRanges) return uploadWhole(upload, file, count)
  if (!difference) {
    await uploadWhole(upload, file, count)
    await uploadMap(upload, file, { parts: whole(file), chunks, count })
    return
  }
  const { fresh, freshBytes, partsWith } = difference
  const source = { digest: await new SpansBody(verified, fresh).digest(signal), size: freshBytes }
  const put = async () =>
    upload.put(blobKey(source.digest), (onBytes) => new SpansBody(verified, fresh, onBytes), { onBytes: count.sent })
  const isSent = freshBytes === 0 || (await put()) === 'written'
  count.present(isSent ? file.size - freshBytes : file.size)
  const isNew = await uploadMap(upload, file, { parts: partsWith(source), chunks, count })
  // Objects are not overwritten. Where another map names what is missing, the whole file helps.
  if (isNew || (await usableMap(upload, file))) return
  count.present(-file.size)
  await uploadWhole(upload, file, count)
}

async function uploadWhole(upload: Upload, file: LocalFile, count: Sent): Promise<void> {
  const make = (onBytes: (bytes: number) => void) => new VerifiedBody(file, onBytes)
  if ((await upload.put(blobKey(file.digest), make, { onBytes: count.sent })) === 'exists') count.present(file.size)
}

/** Cuts the file while it is sent. */
async function uploadWithMap(upload: Upload, file: LocalFile, count: Sent): Promise<void> {
  const { controller, unlink } = linkedController(upload.options.signal)
  const { path, size } = file
  const stamp = stampOf(path)
  // Its digest is computed while it is sent.
  const cutting = upload.options.isDry ? undefined : cutFile({ path, size }, controller.signal)
  // A failure is thrown when it is awaited.
  cutting?.catch(() => undefined)
  try {
    await uploadWhole(upload, file, count)
    const chunks = await cutting
    if (chunks && isAsRecorded(stampOf(path), stamp))
      await uploadMap(upload, file, { parts: whole(file), chunks, count })
  } finally {
    controller.abort()
    unlink()
  }
}

async function uploadMapOfWhole(upload: Upload, file: LocalFile, count: Sent): Promise<void> {
  if (upload.options.isDry) return
  const chunks = await cut(file, upload.options.signal)
  await uploadMap(upload, file, { parts: whole(file), chunks, count })
}

/** Returns false if the store has a map of the file. */
async function uploadMap(
  upload: Upload,
  { digest, size }: LocalFile,
  { parts, chunks, count }: { parts: MappedPart[]; chunks: FileChunk[]; count: Sent },
): Promise<boolean> {
  const bytes = printMap({ size, parts, chunks })
  const put = upload.put(mapKey(digest), (onBytes) => bodyOf(bytes, onBytes), { onBytes: count.sent })
  return (await put) === 'written'
}

function whole({ digest, size }: LocalFile): MappedPart[] {
  return [{ source: { digest, size }, start: 0, size }]
}

async function cut(file: LocalFile, signal: AbortSignal): Promise<FileChunk[]> {
  const chunks = await cutFile(file, signal)
  if (chunks) return chunks
  throw new DamagedFile(`${file.path} is not what was stated`)
}
