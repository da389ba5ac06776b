import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { extract } from 'tar'
import type { TestProject } from 'vitest/node'
import { compileCacheProcess } from './cache-process/compile.ts'
import { removeFolder } from './remove-folder.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The folder of the unpacked tarball: the package as users get it. */
    packedPackage: string
    /** The path of the tarball. */
    tarball: string
    /** The path of the program that a `CacheProcess` runs. */
    cacheProcess: string
  }
}

export default async function prepare(project: TestProject): Promise<() => Promise<void>> {
  const [removePackage, removeProgram] = await Promise.all([packPackage(project), provideCacheProcess(project)])
  return async () => {
    await Promise.all([removePackage(), removeProgram()])
  }
}

/** Packs the package once: nested runs test the files that `npm publish` would upload, not the sources. */
async function packPackage(project: TestProject): Promise<() => Promise<void>> {
  const directory = await mkdtemp(join(tmpdir(), 'packed package '))
  // `npm test` has just built the package: the prepack script need not build it again.
  const { stdout } = await execa('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', directory])
  const packed: { filename: string }[] = Object.values(JSON.parse(stdout))
  const tarball = join(directory, packed[0]?.filename ?? '')
  await extract({ file: tarball, cwd: directory })
  project.provide('packedPackage', join(directory, 'package'))
  project.provide('tarball', tarball)
  return () => removeFolder(directory)
}

async function provideCacheProcess(project: TestProject): Promise<() => Promise<void>> {
  const { program, remove } = await compileCacheProcess()
  project.provide('cacheProcess', program)
  return remove
}
