import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Plugin } from 'rolldown'

/** Writes the licences of the packages whose code is in the bundle. */
export function licences(): Plugin {
  return {
    name: 'licences',
    async generateBundle(_, bundle) {
      const modules = Object.values(bundle).flatMap((part) => (part.type === 'chunk' ? part.moduleIds : []))
      const packages = new Set(
        modules.flatMap((id) => /^.*node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+/.exec(id)?.[0] ?? []),
      )
      const texts = [...packages].sort().map(async (folder) => {
        const { name, version, license } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))
        const file = (await readdir(folder)).find((name) => /^licen[cs]e/i.test(name))
        return `${name} ${version} (${license})\n\n${file ? await readFile(join(folder, file), 'utf8') : ''}`
      })
      this.emitFile({
        type: 'asset',
        fileName: 'LICENSES-OF-OTHERS.txt',
        source: (await Promise.all(texts)).join('\n---\n\n'),
      })
    },
  }
}
