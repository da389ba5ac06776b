import { readdir, readFile, stat } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'

/** The files of a model that a client left on disk. */
export interface Disk {
  /** Files with wrong bytes that the client treats as files of the model. */
  wrong: string[]
  /** Bytes in files that the client treats as unfinished. */
  partBytes: number
}

/** Compares the folder of a model, of any client, with the right files. */
export async function inspectDisk(folder: string, model: ReadonlyMap<string, Buffer>): Promise<Disk> {
  const disk: Disk = { wrong: [], partBytes: 0 }
  for (const path of await pathsBelow(folder)) {
    if (isPart(path)) disk.partBytes += (await stat(join(folder, path))).size
    const file = fileOf(path)
    const right = model.get(file)
    if (right && !right.equals(await readFile(join(folder, path)))) disk.wrong.push(file)
  }
  return disk
}

async function pathsBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
}

/** `<blob>.incomplete` in a Hugging Face cache, `<blob>.<unique>.incomplete` in ours, `<file>.tmp.<unique>` of transformers.js. */
function isPart(path: string): boolean {
  return /\.incomplete$|\.tmp\.[^/]+$/.test(path)
}

/** The path of the file in the repo. Hugging Face caches, like ours, have snapshots; transformers.js has the plain path. */
function fileOf(path: string): string {
  return /(?:^|\/)snapshots\/[0-9a-f]{40}\/(.+)$/.exec(path)?.[1] ?? path
}
