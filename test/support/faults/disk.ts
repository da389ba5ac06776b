import { readdir, readFile, stat } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'

/** What a client left of a model. */
export interface Disk {
  /** Files that it takes for files of the model from now on, and whose bytes are others. */
  wrong: string[]
  /** Bytes in files that it takes for unfinished. */
  partBytes: number
}

/** Compares what lies in the folder of a model, of any of the clients, with the right files. */
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

/** `<blob>.incomplete` in a Hugging Face cache and `<blob>.<unique>.incomplete` in ours, `<file>.tmp.<unique>` of transformers.js. */
function isPart(path: string): boolean {
  return /\.incomplete$|\.tmp\.[^/]+$/.test(path)
}

/** In a snapshot of a Hugging Face cache, which ours is too, or as transformers.js keeps it. */
function fileOf(path: string): string {
  return /(?:^|\/)snapshots\/[0-9a-f]{40}\/(.+)$/.exec(path)?.[1] ?? path
}
