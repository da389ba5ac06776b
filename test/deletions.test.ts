import { readdirSync, readFileSync } from 'node:fs'
import { join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseAst } from 'rolldown/parseAst'
import { expect, test } from 'vitest'

const SRC = fileURLToPath(new URL('../src', import.meta.url))

/** The functions of `node:fs`, `node:fs/promises` and file handles that delete, move or truncate a file. */
const DANGEROUS = /^(f?truncate|rename|rm|rmdir|unlink)(Sync)?$/
/** The same functions, and those that fs-extra adds. */
const DANGEROUS_IMPORTS = /^(f?truncate|rename|rm|rmdir|unlink|remove|move|emptyDir|emptydir)(Sync)?$/
const FILE_SYSTEMS = /^(node:)?fs(\/promises)?$|^(fs-extra|graceful-fs)(\/.*)?$/

/** Every use of them in `src`, with the number of uses and the reason why it deletes nothing of the user. */
const SAFE: Record<string, [count: number, why: string]> = {
  'run/worker/report-file.ts renameSync': [1, 'gives a file that was just written its name, which has a random part'],
  'remote/folder/write.ts rename': [1, 'gives a file that was just written the key of an object in the shared folder'],
  'remote/folder/write.ts unlink': [2, 'temporary names with a random part, in the shared folder'],
  'remote/folder.ts unlink': [1, 'an object in the shared folder, by a key of ours and below no link'],
  'cli/config/check-edit.ts rm': [1, 'the copy of the config was made a moment before, under a name that was free'],
  'cache/upkeep/link-shared.ts rename': [
    1,
    'the new file was verified to have the same content as the blob that it replaces',
  ],
  'cache/archive/new-file.ts renameSync': [
    1,
    'the file that the user named; one that exists is replaced only if the user says so',
  ],
  'cache/intake/settle-name.ts rename': [2, 'renames the folders of a repo; a rename can only replace an empty folder'],
  'cache/store/removal/aside.ts renameSync': [
    2,
    'a `Remover` moves what may be removed to a unique name; the folder of a killed removal is moved after `mayRemove`',
  ],
  'cache/store/atomic-write.ts rename': [2, 'the callers replace only files whose names the cache chose'],
  'cache/store/atomic-write.ts renameSync': [1, 'the callers replace only files whose names the cache chose'],
  'cache/store/durable.ts renameSync': [1, 'the callers replace the metadata and cache.json'],
  'cache/store/downloads/incoming.ts truncate': [
    2,
    'an open file that this process created, or took over under a name of its own',
  ],
  'cache/store/downloads/leftovers.ts rename': [1, 'moves an unfinished download of a dead process to a unique name'],
  'cache/store/remove-own.ts rmSync': [
    2,
    '`removeAside`: after `mayRemove`. `removeFolderOfRun`: a folder that this run created',
  ],
  'cache/store/remove-own.ts rmdir': [1, 'after `mayRemove`, and only an empty folder'],
  'cache/store/remove-own.ts unlink': [3, 'after `mayRemove`, and only names that the cache chose'],
  'cache/store/remove-own.ts unlinkSync': [
    1,
    'after `mayRemove`; or a name with a random part; or a lock that was read before',
  ],
  'cache/store/answers/renames.ts renameSync': [
    1,
    'after `mayRemove`, moves a file that holds a repo id to the same name in the folder of its endpoint',
  ],
}

interface Node {
  type: string
  [field: string]: unknown
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string'
}

function* nodesIn(value: unknown): Generator<Node> {
  if (isNode(value)) yield value
  if (typeof value === 'object' && value !== null) for (const child of Object.values(value)) yield* nodesIn(child)
}

function nameOf(value: unknown): string {
  return isNode(value) && typeof value.name === 'string' ? value.name : isNode(value) ? String(value.value) : ''
}

/** The dangerous functions that a file uses; a function appears once for each use outside of imports. */
function usesIn(code: string): string[] {
  const all = [...nodesIn(parseAst(code, { lang: 'ts' }))]
  const imported = new Map<string, string>()
  const declared = new Set<unknown>()
  for (const { type, source, specifiers } of all)
    if (type === 'ImportDeclaration' && FILE_SYSTEMS.test(nameOf(source)))
      for (const specifier of nodesIn(specifiers)) {
        declared.add(specifier.local).add(specifier.imported)
        const name = nameOf(specifier.imported)
        if (DANGEROUS_IMPORTS.test(name)) imported.set(nameOf(specifier.local), name)
      }
  return all.flatMap((node) => {
    // `fs.rm`, `fs['rm']`, `file.truncate`; but `layout.rename` returns a path.
    if (node.type === 'MemberExpression') {
      const of = isNode(node.object) && node.object.type === 'MemberExpression' ? node.object.property : node.object
      const name = isPrivate(node.property) ? '' : nameOf(node.property)
      declared.add(node.property)
      return DANGEROUS.test(name) && nameOf(of) !== 'layout' ? [name] : []
    }
    // `const { rm } = await import('node:fs/promises')`
    if (node.type === 'VariableDeclarator' && namesFileSystem(node.init))
      return [...nodesIn(node.id)].flatMap(({ type, key }) =>
        type === 'Property' && DANGEROUS_IMPORTS.test(nameOf(key)) ? [nameOf(key)] : [],
      )
    const name = node.type === 'Identifier' && !declared.has(node) ? imported.get(nameOf(node)) : undefined
    return name ? [name] : []
  })
}

function isPrivate(value: unknown): boolean {
  return isNode(value) && value.type === 'PrivateIdentifier'
}

function namesFileSystem(value: unknown): boolean {
  return [...nodesIn(value)].some((node) => FILE_SYSTEMS.test(nameOf(node)))
}

test('every use of a function that deletes, moves or truncates a file is listed with the reason why it is safe', () => {
  const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).map((path) => path.split(sep).join('/'))
  const found: Record<string, number> = {}
  for (const path of files.filter((path) => /\.([cm]?ts|mjs)$/.test(path))) {
    const code = readFileSync(join(SRC, path), 'utf8')
    // Parsing every file would take a second.
    for (const name of /\bfs\b|truncate|unlink|rmdir/.test(code) ? usesIn(code) : []) {
      const use = `${path} ${name}`
      found[use] = (found[use] ?? 0) + 1
    }
  }
  expect(found).toEqual(Object.fromEntries(Object.entries(SAFE).map(([use, [count]]) => [use, count])))
})

test.each([
  ["import { rm } from 'node:fs/promises'\nawait rm(path)", ['rm']],
  ["import { rmSync as away } from 'fs'\npaths.map(away)", ['rmSync']],
  ["import fs from 'node:fs'\nfs.promises.unlink(path)", ['unlink']],
  ["import fs = require('node:fs')\nfs['rmdirSync'](path)", ['rmdirSync']],
  ["const { rename } = await import('node:fs/promises')", ['rename']],
  ["import { emptyDir } from 'fs-extra/esm'\nemptyDir(path)", ['emptyDir']],
  ['const file: FileHandle = await open(path)\nawait file.truncate(0)', ['truncate']],
  ["import { truncate } from './lines.ts'\ntruncate(this.layout.rename(repo))", []],
])('the uses in this code are found: %s', (code, uses) => {
  expect(usesIn(code)).toEqual(uses)
})
