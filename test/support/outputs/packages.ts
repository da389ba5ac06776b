import { appendFile, copyFile, mkdir, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { execa } from 'execa'
import { extract } from 'tar'
import { removeFolder } from '../remove-folder.ts'

/** Writes the `.onnx` files of a package of the npm registry to a folder. Nothing of the package is run. */
export async function unpackModels(name: string, directory: string): Promise<void> {
  const unpacked = await mkdtemp(join(tmpdir(), 'package '))
  try {
    const { stdout } = await execa('npm', ['pack', '--json', '--pack-destination', unpacked, name])
    const packed: { filename: string }[] = Object.values(JSON.parse(stdout))
    await extract({ file: join(unpacked, packed[0]?.filename ?? ''), cwd: unpacked })
    await mkdir(directory, { recursive: true })
    const files = await readdir(unpacked, { recursive: true })
    for (const file of files.filter((path) => path.endsWith('.onnx')))
      await copyFile(join(unpacked, file), join(directory, basename(file)))
    for (const file of files.filter((path) => basename(path) === 'resources.json'))
      await joinChunks(join(unpacked, file), directory)
  } finally {
    await removeFolder(unpacked)
  }
}

interface Resource {
  chunks: { hash: string }[]
}

/** Joins models that a package has in chunks, as @imgly/background-removal does. A chunk's file is named by its hash. */
async function joinChunks(list: string, directory: string): Promise<void> {
  const resources: Record<string, Resource> = JSON.parse(await readFile(list, 'utf8'))
  for (const [path, { chunks }] of Object.entries(resources)) {
    if (!path.startsWith('/models/')) continue
    const model = join(directory, `${basename(path)}.onnx`)
    await writeFile(model, '')
    for (const { hash } of chunks) await appendFile(model, await readFile(join(list, '..', hash)))
  }
}
