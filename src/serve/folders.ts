import { createHash } from 'node:crypto'
import { blobNameOf } from '../model/digest.ts'
import type { Tree, TreeFile } from '../model/tree.ts'
import { groupBy } from '../platform/group-by.ts'

/** A folder of a repo, with its files and folders by name. */
export interface Folder {
  /** The id of git's tree, if no file is executable. */
  oid: string
  children: Map<string, Folder | TreeFile>
}

const known = new WeakMap<Tree, Folder>()

/** The root folder of a listing. */
export function rootOf(files: Tree): Folder {
  const root = known.get(files) ?? folderOf([...files].map(([path, file]) => [path.split('/'), file]))
  known.set(files, root)
  return root
}

export function isFolder(node: Folder | TreeFile): node is Folder {
  return 'children' in node
}

/** The git object id of a file, or of its LFS pointer. */
export function gitIdOf(file: TreeFile): string {
  const { gitId, digest } = file
  if (gitId !== '') return gitId
  return digest.startsWith('sha1:') ? blobNameOf(digest) : gitDigest('blob', Buffer.from(pointerOf(file)))
}

/** The file that git has for an LFS file: https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md */
export function pointerOf({ digest, size }: TreeFile): string {
  return `version https://git-lfs.github.com/spec/v1\noid ${digest}\nsize ${size}\n`
}

function folderOf(files: [string[], TreeFile][]): Folder {
  const isBelow = ([parts]: [string[], TreeFile]) => parts.length > 1
  const own = files.filter((file) => !isBelow(file)).map(([[name = ''], file]) => [name, file] as const)
  const children = new Map<string, Folder | TreeFile>(own)
  for (const [name, group] of groupBy(files.filter(isBelow), ([[first = '']]) => first))
    children.set(name, folderOf(group.map(([[, ...rest], file]) => [rest, file])))
  return { oid: treeId(children), children }
}

/** Git sorts folders as if their names ended with a slash. */
function treeId(children: Folder['children']): string {
  const lines = [...children].map(([name, node]) => {
    const [mode, oid, end] = isFolder(node) ? ['40000', node.oid, '/'] : ['100644', gitIdOf(node), '']
    const line = Buffer.concat([Buffer.from(`${mode} ${name}\0`), Buffer.from(oid, 'hex')])
    return { line, sortedBy: Buffer.from(`${name}${end}`) }
  })
  lines.sort((a, b) => Buffer.compare(a.sortedBy, b.sortedBy))
  return gitDigest('tree', Buffer.concat(lines.map(({ line }) => line)))
}

function gitDigest(kind: 'blob' | 'tree', content: Uint8Array): string {
  return createHash('sha1').update(`${kind} ${content.length}\0`).update(content).digest('hex')
}
