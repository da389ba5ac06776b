import { readFile } from 'node:fs/promises'
import pLimit from 'p-limit'
import { type Digest, isContent } from '../../model/digest.ts'
import { linkedController } from '../../platform/originals.ts'
import { bundleKey, listingKey, type RemoteModel, refKey, signatureKey } from '../../remote/keys.ts'
import { LARGEST_LISTING, type Listing, parseListing, printListing } from '../../remote/listing.ts'
import { LARGEST_REF, parseRef, printRef, type RemoteRef } from '../../remote/refs.ts'
import { printSignature, type SigningKey } from '../../remote/signature.ts'
import { chooseSmallFiles, LARGEST_BUNDLE, packBundle, unpackBundle } from '../../remote/small-bundle.ts'
import { NewerObject, UnusableObject } from '../../remote/unusable.ts'
import type { OtherContents } from './other-contents.ts'
import type { Statement } from './statement-of.ts'
import { bodyOf, ForeignObject, type Sent, type Upload } from './upload.ts'
import { type BlobOptions, uploadBlob } from './upload-blob.ts'
import { DamagedFile, type LocalFile } from './verified-body.ts'

// Stores send the parts of a large object side by side, and keep some parts in memory.
const LARGE_BYTES = 32 << 20
const LARGE_AT_ONCE = 2
const SMALL_AT_ONCE = 8

/**
 * Writes a model into the store. First its files, then what is said about it: a push that is killed leaves nothing that misleads. Objects
 * that exist are kept. Throws `RemoteError`, `DamagedFile`, `ForeignObject`, or the reason of the signal.
 */
export async function uploadModel(
  upload: Upload,
  model: RemoteModel,
  { files, listing, refs }: Statement,
  { key, count, other }: { key: SigningKey | undefined; count: Sent; other: OtherContents },
): Promise<void> {
  const small = chooseSmallFiles(files)
  const large = files.filter((file) => !small.includes(file))
  await uploadBlobs(upload, large, { count, other })
  const bundled = small.length > 0 ? await uploadBundle(upload, model, small, count) : new Set()
  await uploadBlobs(
    upload,
    small.filter(({ digest }) => !bundled.has(digest)),
    { count, other },
  )
  if (!listing) return
  const bytes = await uploadListing(upload, listing)
  if (!key || !bytes) return
  await uploadSignature(upload, model, bytes, key)
  for (const { revision, atMs } of refs) await uploadRef(upload, { ...model, revision, atMs }, key)
}

/** Several files at once. The first failure ends the others. */
async function uploadBlobs(upload: Upload, files: LocalFile[], options: BlobOptions): Promise<void> {
  const [largeLimit, limit] = [pLimit(LARGE_AT_ONCE), pLimit(SMALL_AT_ONCE)]
  const { controller, unlink } = linkedController(upload.options.signal)
  const linked = upload.within(controller.signal)
  let failure: { error: unknown } | undefined
  await Promise.all(
    files.map((file) =>
      (file.size > LARGE_BYTES ? largeLimit : limit)(async () => {
        if (failure) return
        try {
          await uploadBlob(linked, file, options)
        } catch (error) {
          failure ??= { error }
          controller.abort(error)
        }
      }),
    ),
  )
  unlink()
  if (failure) throw failure.error
}

/** Writes the small files as one object. Returns the digests of those that are in it: another machine may have written another selection. */
async function uploadBundle(upload: Upload, model: RemoteModel, files: LocalFile[], count: Sent): Promise<Set<Digest>> {
  const key = bundleKey(model)
  const before = await readBundled(upload, key)
  const isNew =
    before === undefined && (await upload.put(key, await bundleBody(files), { onBytes: count.sent })) === 'written'
  if (isNew) return new Set(files.map(({ digest }) => digest))
  const bundled = before ?? (await readBundled(upload, key)) ?? new Set()
  for (const { digest, size } of files) if (bundled.has(digest)) count.present(size)
  return bundled
}

/** The digests of the files in a bundle. None if it is damaged: then the files are written as blobs. Undefined if there is no bundle. */
async function readBundled(upload: Upload, key: string): Promise<Set<Digest> | undefined> {
  try {
    const bytes = await upload.read(key, LARGEST_BUNDLE)
    return bytes && new Set(unpackBundle(bytes).keys())
  } catch (error) {
    if (error instanceof UnusableObject) return new Set()
    throw error
  }
}

async function bundleBody(files: LocalFile[]) {
  const read = files.map(async ({ path, digest, size }) => {
    const bytes = await readFile(path)
    if (!isContent(bytes, { digest, size })) throw new DamagedFile(`${path} is not what was stated`)
    return { digest, size, bytes }
  })
  const bytes = packBundle(await Promise.all(read))
  return (onBytes: (bytes: number) => void) => bodyOf(bytes, onBytes)
}

/** Returns the bytes of the listing if they are those in the store. Undefined if those in the store are as good. */
async function uploadListing(upload: Upload, listing: Listing): Promise<Uint8Array | undefined> {
  const key = listingKey(listing)
  const bytes = printListing(listing)
  if (bytes.byteLength > LARGEST_LISTING) throw new ForeignObject('Its list of files is too large for a remote.')
  if ((await upload.put(key, (onBytes) => bodyOf(bytes, onBytes))) === 'written') return bytes
  const there = await upload.read(key, LARGEST_LISTING)
  if (there && Buffer.compare(there, bytes) === 0) return bytes
  if (there && isAsGood(there, listing)) return undefined
  throw new ForeignObject(`${key} states something else than ${listing.endpoint} stated to this cache.`)
}

/** True if a listing says the same but for the task, or if a newer version of this package wrote it. The Hub's word about the task can change. */
function isAsGood(there: Uint8Array, { task, ...own }: Listing): boolean {
  try {
    const { task: _, ...other } = parseListing(there)
    return Buffer.compare(printListing(own), printListing(other)) === 0
  } catch (error) {
    if (error instanceof UnusableObject) return error instanceof NewerObject
    throw error
  }
}

async function uploadSignature(
  upload: Upload,
  model: RemoteModel,
  listing: Uint8Array,
  key: SigningKey,
): Promise<void> {
  const at = signatureKey(model, key.id)
  const bytes = printSignature(key, listing)
  if ((await upload.put(at, (onBytes) => bodyOf(bytes, onBytes))) === 'written') return
  const there = await upload.read(at, bytes.byteLength)
  if (there && Buffer.compare(there, bytes) === 0) return
  throw new ForeignObject(`${at} is no signature of the listing by our key.`)
}

/** Refs are the only objects that are overwritten, by newer ones. */
async function uploadRef(upload: Upload, ref: RemoteRef, key: SigningKey): Promise<void> {
  const at = refKey(ref, key.id)
  if (isOutdated(await upload.read(at, LARGEST_REF), ref, key)) {
    const bytes = printRef(ref, key)
    await upload.put(at, (onBytes) => bodyOf(bytes, onBytes), { overwrite: true })
  }
}

function isOutdated(bytes: Uint8Array | undefined, ref: RemoteRef, key: SigningKey): boolean {
  try {
    return !bytes || parseRef(bytes, key).atMs < ref.atMs
  } catch (error) {
    if (error instanceof UnusableObject) return !(error instanceof NewerObject)
    throw error
  }
}
