import { createHash } from 'node:crypto'
import { mkdir, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeRef } from '../../src/cache/store/answers/refs.ts'
import { writeRepoInfo } from '../../src/cache/store/answers/repo-info.ts'
import { toRecord } from '../../src/cache/store/entries/record.ts'
import { Layout } from '../../src/cache/store/layout.ts'
import { Origin } from '../../src/cache/store/origin.ts'
import type { Digest } from '../../src/model/digest.ts'
import type { EntryFile } from '../../src/model/entry.ts'
import { type HubPath, parseHubPath } from '../../src/model/hub-path.ts'
import { parseRepoId } from '../../src/model/repo-id.ts'
import { parseCommit } from '../../src/model/revision.ts'
import { snapshotOf } from '../../src/model/snapshot.ts'
import { entryWith } from './entry.ts'

const DAY_MS = 86_400_000

export interface SketchedModel {
  repo: string
  /** Contents by path. */
  files: Record<string, string>
  /** Days since the last use. */
  idleDays?: number
  pinned?: boolean
  hits?: number
}

/** Writes a cache that looks as if these models had been downloaded. Much faster than real downloads. */
export async function writeCache(folder: string, models: SketchedModel[]): Promise<void> {
  const layout = new Layout(folder)
  await mkdir(layout.incoming, { recursive: true })
  const records: object[] = []
  for (const model of models) records.push(await writeModel(layout, model))
  await writeFile(layout.metadata, `[\n${records.map((record) => JSON.stringify(record)).join(',\n')}\n]\n`)
  await writeFile(layout.marker, '{"format":1}\n')
}

/** `count` models of four small files each; every third shares the tokenizer of the first. */
export function manyModels(count: number): SketchedModel[] {
  return Array.from({ length: count }, (_, index) => ({
    repo: `org/model-${String(index).padStart(4, '0')}`,
    files: {
      'config.json': `{"index":${index}}`,
      'tokenizer.json': `{"tokenizer":${index % 3 === 0 ? 0 : index}}`,
      'tokenizer_config.json': '{}',
      'onnx/model.onnx': `weights of ${index}`.repeat(10),
    },
    idleDays: index % 5,
    hits: index,
  }))
}

async function writeModel(layout: Layout, { repo: name, files, idleDays = 0, pinned, hits }: SketchedModel) {
  const repo = parseRepoId(name)
  const commit = parseCommit(createHash('sha1').update(name).digest('hex'), 'a test')
  const recorded = new Map<HubPath, EntryFile>()
  for (const [path, content] of Object.entries(files)) {
    const digest: Digest = `sha256:${createHash('sha256').update(content).digest('hex')}`
    const blob = layout.blob(repo, digest)
    const file = layout.file(repo, snapshotOf(commit), parseHubPath(path, name))
    await mkdir(join(blob, '..'), { recursive: true })
    await mkdir(join(file, '..'), { recursive: true })
    await writeFile(blob, content, { mode: 0o444 })
    await symlink(join('../'.repeat(path.split('/').length + 1), 'blobs', digest.slice(7)), file)
    const { size, mtimeNs, ino } = await stat(blob, { bigint: true })
    const stamp = { size: Number(size), mtimeMs: Number(mtimeNs / 1000n) / 1000, ino: String(ino) }
    recorded.set(parseHubPath(path, name), { ...stamp, digest, downloadMs: 100 })
  }
  const idleMs = idleDays * DAY_MS
  const used = new Date(Date.now() - idleMs).toISOString()
  const dates = { cachedDate: used, lastAccessDate: used }
  const entry = entryWith({ repo, commit, files: recorded, pinned: pinned ?? false, hits: hits ?? 0, ...dates })
  const origin = new Origin(layout, String(entry.endpoint))
  origin.writeEndpoint()
  writeRepoInfo(origin, repo, commit, entry)
  for (const folder of [origin, layout]) await writeRef(folder, repo, 'main', commit, idleMs)
  return toRecord(entry)
}
