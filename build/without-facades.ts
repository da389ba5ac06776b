import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join, relative, sep } from 'node:path'

/**
 * Removes the facades, and has their importers import the chunks. Rolldown writes a facade for a module that is imported late and whose
 * chunk holds more modules: a file that exports only the names of that module. Each facade is one more file to load. A warm run would
 * load six of them in the main process and one in each worker.
 */
export async function withoutFacades(folder: string): Promise<void> {
  const names = await readdir(folder, { recursive: true })
  const files = names.filter((name) => name.endsWith('.js')).map((name) => join(folder, name))
  const sources = new Map(await Promise.all(files.map(async (file) => [file, await readFile(file, 'utf8')] as const)))
  const facades = new Map<string, { chunk: string; names: string }>()
  for (const [file, source] of sources) {
    const [, list, chunk] = /^export \{ ([^}]+) \} from "([^"]+)";\s*$/.exec(source) ?? []
    if (!list || !chunk || dirname(file) !== join(folder, 'chunks')) continue
    const pairs = list.split(', ').map((pair) => pair.split(' as '))
    const names = pairs.map(([name, as = name]) => `${as}: chunk.${name}`).join(', ')
    facades.set(file, { chunk: join(dirname(file), chunk), names })
  }
  for (const [file, source] of sources) {
    const written = source.replaceAll(/import\("(\.[^"]+)"\)/g, (whole, path) => {
      const facade = facades.get(join(dirname(file), path))
      if (!facade) return whole
      const chunk = relative(dirname(file), facade.chunk).split(sep).join('/')
      return `import("${chunk.startsWith('.') ? chunk : `./${chunk}`}").then((chunk) => ({ ${facade.names} }))`
    })
    if (written !== source) await writeFile(file, written)
    sources.set(file, written)
  }
  const isNamed = (file: string) => [...sources.values()].some((source) => source.includes(`/${basename(file)}"`))
  for (const file of facades.keys()) if (!isNamed(file)) await rm(file)
}
