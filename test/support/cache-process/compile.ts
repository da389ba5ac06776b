import { mkdir, mkdtemp, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { removeFolder } from '../remove-folder.ts'

const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url))

/** Compiles the program of the processes once: sixteen processes that each compile the sources would take too long. */
export async function compileCacheProcess(): Promise<{ program: string; remove: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'cache process '))
  await mkdir(join(folder, 'test'))
  await writeFile(join(folder, 'package.json'), '{"type":"module"}')
  await symlink(join(REPOSITORY, 'node_modules'), join(folder, 'node_modules'), 'junction')
  const project = join(REPOSITORY, 'test/support/cache-process')
  await execa('tsc', ['-p', project, '--outDir', folder], { preferLocal: true, localDir: REPOSITORY })
  return {
    program: join(folder, 'test/support/cache-process/main.js'),
    remove: () => removeFolder(folder),
  }
}
