import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { CachedModel } from '../../src/cache/cached-model.ts'
import { type Digest, digestOfBlobName, isContent } from '../../src/model/digest.ts'
import { blobKey } from '../../src/remote/keys.ts'

/** The option `remote` for a folder. */
export function folderRemote(folder: string) {
  return { url: pathToFileURL(folder).href, timeoutMs: 60_000, uploadPrivate: false }
}

/** Puts the files of a model into a folder, as another machine would. Returns the digest of each file. */
export async function fillFolder(folder: string, model: CachedModel): Promise<Map<string, Digest>> {
  const digests = new Map<string, Digest>()
  for (const path of model.files.keys()) {
    const content = await readFile(model.file(path))
    const digest = await digestOf(model, path, content)
    const file = join(folder, blobKey(digest))
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, content)
    digests.set(path, digest)
  }
  return digests
}

/** The digest that the name of the blob states. */
async function digestOf({ directory }: CachedModel, path: string, content: Uint8Array): Promise<Digest> {
  const blobs = await readdir(join(directory, '../../blobs'))
  const candidates = blobs.flatMap((name) => digestOfBlobName(name) ?? [])
  const digest = candidates.find((candidate) => isContent(content, { digest: candidate, size: content.byteLength }))
  if (!digest) throw new Error(`There is no blob of ${path}`)
  return digest
}
