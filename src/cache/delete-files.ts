import { lstat, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { blobNameOf, type Digest } from '../model/digest.ts'
import type { Entry } from '../model/entry.ts'
import { systemCode } from '../model/errors.ts'
import type { Layout } from './store/layout.ts'
import { removeTree } from './store/remove-tree.ts'

/** An entry whose record is gone, and what else is recorded of its repo. */
export interface Taken {
  entry: Entry
  siblings: Entry[]
}

/** Deletes what no other entry of their repos needs. Called under the locks of all. Gives the bytes that become free. */
export async function deleteFiles(layout: Layout, taken: Taken[]): Promise<number> {
  const folders = byFolder(layout, taken)
  // What lies behind a link is another's, such as the user's own cache: of that nothing goes but the link.
  const linked = new Set<Taken[]>()
  await sideBySide(folders, async (ofRepo) => {
    for (const each of ofRepo) if (await isBehindLink(layout, each)) linked.add(ofRepo)
  })
  const own = folders.filter((ofRepo) => !linked.has(ofRepo))
  await sideBySide(own, async (ofRepo) => {
    for (const { entry } of ofRepo) await deleteSnapshot(layout, entry)
  })
  // With all snapshots gone, which on some file systems are names of the same files.
  const bytes = await bytesBehind(await ownBlobs(layout, own.flat()))
  await sideBySide(own, async (ofRepo) => {
    for (const each of ofRepo) await deleteRest(layout, each)
  })
  return bytes
}

/** Names that differ by case alone are one folder on some disks, and always have one lock. */
function byFolder(layout: Layout, taken: Taken[]): Taken[][] {
  const folders = new Map<string, Taken[]>()
  for (const each of taken) {
    const lock = layout.lock(each.entry.repo)
    folders.set(lock, [...(folders.get(lock) ?? []), each])
  }
  return [...folders.values()]
}

/** Nothing goes on any more when it ends: the locks are given back then, also where something failed. */
async function sideBySide(folders: Taken[][], act: (ofRepo: Taken[]) => Promise<void>): Promise<void> {
  const all = folders.map(act)
  await Promise.allSettled(all)
  await Promise.all(all)
}

async function isBehindLink(layout: Layout, { entry, siblings }: Taken): Promise<boolean> {
  const folder = layout.repo(entry.repo)
  if (!(await isLink(folder))) return false
  if (siblings.length === 0) await rm(folder, { force: true })
  return true
}

async function deleteSnapshot(layout: Layout, { repo, commit }: Entry): Promise<void> {
  const folder = layout.repo(repo)
  // Before its snapshot: other tools refuse a repo with a ref to a commit that has none, and a kill may come in between.
  if (!(await isLink(join(folder, 'refs')))) await deleteRefs(join(folder, 'refs'), commit)
  await removeFrom(folder, 'snapshots', [commit])
}

async function deleteRest(layout: Layout, taken: Taken): Promise<void> {
  const { repo, commit } = taken.entry
  const folder = layout.repo(repo)
  // With its last snapshot the repo goes: what another tool left in its blobs folder is reachable by nothing.
  if ((await names(join(folder, 'snapshots'))).length === 0) {
    await Promise.all([folder, layout.apiAnswers(repo)].map(removeTree))
    return
  }
  await removeFrom(folder, '.no_exist', [commit])
  await removeFrom(folder, 'trees', [`${commit}.json`])
  await removeFrom(folder, 'blobs', unsharedBlobs(taken).map(blobNameOf))
}

async function removeFrom(folder: string, kind: string, names: string[]): Promise<void> {
  if (names.length === 0 || (await isLink(join(folder, kind)))) return
  await Promise.all(names.map((name) => removeTree(join(folder, kind, name))))
}

function unsharedBlobs({ entry, siblings }: Taken): Digest[] {
  const shared = new Set(siblings.flatMap(({ files }) => [...files.values()].map(({ digest }) => digest)))
  const own = new Set([...entry.files.values()].map(({ digest }) => digest))
  return [...own].filter((digest) => !shared.has(digest))
}

/** The paths of all blobs that are to go. */
async function ownBlobs(layout: Layout, taken: Taken[]): Promise<Set<string>> {
  const paths = taken.map(async (each) => {
    const { repo } = each.entry
    if (await isLink(join(layout.repo(repo), 'blobs'))) return []
    return unsharedBlobs(each).map((digest) => layout.blob(repo, digest))
  })
  return new Set((await Promise.all(paths)).flat())
}

/** The bytes of files that lose their last name with these: another repo, or the user's own cache, may have the same file. */
async function bytesBehind(paths: Set<string>): Promise<number> {
  const found = [...paths].map((path) => lstat(path, { bigint: true }).catch(() => undefined))
  const left = new Map<string, bigint>()
  let bytes = 0
  for (const stats of await Promise.all(found)) {
    if (!stats) continue
    const key = `${stats.dev} ${stats.ino}`
    const names = (left.get(key) ?? stats.nlink) - 1n
    left.set(key, names)
    if (names === 0n) bytes += Number(stats.size)
  }
  return bytes
}

async function isLink(path: string): Promise<boolean> {
  return lstat(path).then(
    (stats) => stats.isSymbolicLink(),
    () => false,
  )
}

async function deleteRefs(folder: string, commit: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(emptyWhenMissing)) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) await deleteRefs(path, commit)
    else if (entry.isFile() && (await readFile(path, 'utf8')).trim() === commit) await rm(path, { force: true })
  }
}

async function names(folder: string): Promise<string[]> {
  return readdir(folder).catch(emptyWhenMissing)
}

function emptyWhenMissing(error: unknown): [] {
  if (systemCode(error) === 'ENOENT') return []
  throw error
}
