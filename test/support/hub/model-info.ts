import type { Exchange } from './exchange.ts'
import type { Repository } from './repository.ts'

/** GET /api/models/{id}[/revision/{rev}]. With `expand`, only the named fields; with `blobs`, sizes and digests too. */
export async function sendModelInfo(exchange: Exchange, repository: Repository, commit: string): Promise<void> {
  const { options, name, id } = repository
  const { libraryName } = options
  const blobs = exchange.query.get('blobs')?.toLowerCase() === 'true'
  const info: Record<string, unknown> = {
    _id: id,
    id: name,
    modelId: name,
    author: name.includes('/') ? name.split('/')[0] : undefined,
    sha: commit,
    private: options.private ?? false,
    gated: options.gated ?? false,
    disabled: false,
    pipeline_tag: options.pipelineTag,
    library_name: libraryName,
    tags: options.tags ?? [],
    downloads: 0,
    likes: 0,
    lastModified: repository.infoAt(commit).date,
    createdAt: firstCommitDate,
    siblings: siblings(repository, commit, blobs),
  }
  const wanted = exchange.query.getAll('expand')
  const keys = wanted.length === 0 ? Object.keys(info) : ['_id', 'id', ...wanted]
  await exchange.sendJson(Object.fromEntries(keys.map((key) => [key, info[key]])))
}

// The date that `Repository` gives to the first commit of each repo.
const firstCommitDate = new Date(Date.UTC(2024, 0, 1)).toISOString()

function siblings(repository: Repository, commit: string, blobs: boolean): object[] {
  return [...repository.filesAt(commit).values()].map(({ path, oid, content, lfs }) => {
    if (!blobs) return { rfilename: path }
    const digest = lfs && { sha256: lfs.oid, size: lfs.size, pointerSize: lfs.pointerSize }
    return { rfilename: path, blobId: oid, size: content.size, lfs: digest }
  })
}
