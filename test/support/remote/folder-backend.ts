import { mkdir, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { removeFolder } from '../remove-folder.ts'
import type { Backend } from './backend.ts'
import { openAt } from './open-at.ts'

export const folderBackend: Backend = {
  name: 'a folder',
  async start() {
    const folder = await mkdtemp(join(tmpdir(), 'shared folder '))
    const addressOf = (store: string) => pathToFileURL(join(folder, store))
    return {
      addressOf,
      async open(store) {
        await mkdir(join(folder, store), { recursive: true })
        return openAt(addressOf(store))
      },
      env: {},
      close: () => removeFolder(folder),
    }
  },
}
