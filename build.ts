// `npm run build`: types by tsc, and the package as few files.
import { chmod, copyFile, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join, posix, relative, sep } from 'node:path'
import { execa } from 'execa'
import { type BuildOptions, build, type Plugin } from 'rolldown'

// The package is bundled, so that a worker loads a few files and not thirty: those that the outside names (exports, setup
// files, what is loaded by path) keep their names, and what they share goes into few chunks.
const SRC = join(import.meta.dirname, 'src')

const ENTRIES = [
  'index',
  'models',
  'cache/index',
  'cli/main',
  'intercept/child',
  'intercept/unit',
  'vitest/global-setup',
  'vitest/reporter',
  'vitest/setup-file',
  ...['node', 'jsdom', 'happy-dom', 'edge-runtime'].map((name) => `vitest/environments/${name}`),
]

/**
 * Chunks, in this order: a module goes into the first whose entries load it at once. The files that are entries stay
 * themselves: what they do when they are loaded is not for whoever needs a part of what they need.
 */
const CHUNKS: Record<string, string[]> = {
  // Also loaded by pages.
  models: ['models'],
  worker: ['vitest/setup-file'],
  engine: ['run/engine', 'intercept/child'],
  environment: ['vitest/environments/node'],
  main: ['index', 'vitest/global-setup', 'vitest/reporter', 'cache/index'],
  // What is on disk, for who only looks: commands, and a run that finds all there; with the words that both print.
  'on-disk': [
    ...['cache/on-disk', 'cache/lookup/locate-on-disk', 'cache/store/entries/metadata', 'cache/store/shared-folder'],
    ...['cache/inspect/status', 'report/words', 'report/lines'],
  ],
  'after-run': ['run/conclude-run', 'cache/upkeep/maintain'],
  'complete-model': ['cache/intake/complete-model', 'cache/upkeep/make-room', 'cache/context/connections'],
}

const input = (names: string[]) => Object.fromEntries(names.map((name) => [name, join(SRC, `${name}.ts`)]))
const isEntry = (id: string) => ENTRIES.some((entry) => id === join(SRC, `${entry}.ts`))
const isExternal = (id: string) => !/^[./]/.test(id)

// Small ones, or those of which little is used: Node.js would have to find, read and compile each of their files.
const SMALL = ['valibot', 'p-limit', 'yocto-queue', 'picomatch', 'commander', '@huggingface/hub']

// The charts of one command are brought along: their 43 packages would be installed by everybody. The last is the bundler's own.
const BUNDLED = ['@observablehq/plot', '@xmldom/xmldom', '@oxc-project/runtime', ...SMALL]
const isForeign = (id: string | undefined) => id?.includes('node_modules') === true
const isOf = (name: string, id: string) => id.replaceAll('\\', '/').includes(`/node_modules/${name}/`)

const BUNDLES: BuildOptions[] = [
  {
    input: input(ENTRIES),
    external: (id, importer) => isExternal(id) && !BUNDLED.some((name) => id.startsWith(name)) && !isForeign(importer),
    platform: 'node',
    // What is imported late in one place and at once in another is in a chunk of the latter.
    checks: { ineffectiveDynamicImport: false },
    plugins: [ownPlaces(), preloadAsBuilt(), licences()],
    output: {
      dir: 'dist',
      entryFileNames: '[name].js',
      chunkFileNames: 'chunks/[name].js',
      codeSplitting: {
        groups: [
          { priority: 21, name: 'hub-client', test: (id: string) => isOf('@huggingface/hub', id) },
          {
            priority: 21,
            name: 'glob',
            test: /node_modules[\\/]picomatch[\\/]|[\\/]cache[\\/]selection[\\/]glob\.ts$/,
          },
          {
            priority: 20,
            name: 'charts',
            test: (id: string) => isForeign(id) && !SMALL.some((name) => isOf(name, id)),
          },
          ...Object.entries(CHUNKS).map(([name, entries], index) => ({
            priority: 10 - index,
            debugName: name,
            name: (id: string, context: ModuleGraph) =>
              !isEntry(id) && loadedAtOnce(entries, context).has(id) ? name : null,
          })),
        ],
      },
    },
  },
  // For a page: nothing that it shares with the others may bring in a module of Node.js.
  {
    input: input(['vitest/browser/setup-file']),
    external: isExternal,
    output: { dir: 'dist', entryFileNames: '[name].js' },
  },
  // Loaded by `--require`, also by an old Node.js, which has to read it and may lack what it requires; and what it loads when
  // somebody asks the Hub.
  ...['preload', 'hub-socket', 'attach-mocks'].map((name) => ({
    input: { [name]: join(SRC, `intercept/${name}.cts`) },
    external: (id: string) => isExternal(id) || id.endsWith('.cjs'),
    platform: 'node' as const,
    ...(name === 'preload' && { transform: { target: 'es2019' } }),
    output: {
      ...{ dir: 'dist/intercept', entryFileNames: '[name].cjs', format: 'cjs' as const },
      ...(name === 'preload' && { banner: 'if (parseInt(process.versions.node, 10) < 20) return' }),
    },
  })),
  {
    input: { 'cache/store/downloads/digest-worker': join(SRC, 'cache/store/downloads/digest-worker.mjs') },
    external: isExternal,
    platform: 'node',
    output: { dir: 'dist', entryFileNames: '[name].mjs' },
  },
]

await rm('dist', { recursive: true, force: true })
await execa('tsc', ['-p', 'src'], { preferLocal: true, stdio: 'inherit' })
for (const bundle of BUNDLES) await build(bundle)
await withoutFacades('dist')
await copyFile('src/report/report.schema.json', 'dist/report/report.schema.json')
await chmod('dist/cli/main.js', 0o755)

/**
 * A chunk that holds more than the module that is imported late gets a file beside it that gives out that module alone. Each is one
 * more file to find and to load: who imports it takes the names from the chunk itself.
 */
async function withoutFacades(folder: string): Promise<void> {
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

interface ModuleGraph {
  getModuleInfo(id: string): { importedIds: readonly string[] } | null
}

/** The modules that entries load before any of their own code runs. */
function loadedAtOnce(entries: string[], context: ModuleGraph): Set<string> {
  const found = new Set<string>()
  const todo = entries.map((entry) => join(SRC, `${entry}.ts`))
  for (const id of todo) {
    if (found.has(id)) continue
    found.add(id)
    todo.push(...(context.getModuleInfo(id)?.importedIds ?? []))
  }
  return found
}

/** `import.meta.url` stays the place of the module among the built files, whatever chunk it went into. */
function ownPlaces(): Plugin {
  const MARK = '__OWN_PLACE__'
  return {
    name: 'own-places',
    transform(code, id) {
      if (isForeign(id)) return undefined
      const place = relative(SRC, id).split(sep).join('/')
      return code.replaceAll('import.meta.url', `${MARK}(${JSON.stringify(place)})`)
    },
    renderChunk(code, { fileName }) {
      return code.replaceAll(new RegExp(`${MARK}\\("([^"]+)"\\)`, 'g'), (_, place) => {
        const path = posix.relative(dirname(fileName), place)
        return `new URL(${JSON.stringify(path.startsWith('.') ? path : `./${path}`)}, import.meta.url)`
      })
    },
  }
}

/** The preload is a file of its own for whoever imports it, too: it is there once. */
function preloadAsBuilt(): Plugin {
  return {
    name: 'preload-as-built',
    resolveId(id) {
      if (!id.endsWith('.cts')) return undefined
      return {
        id: join(import.meta.dirname, 'dist/intercept', `${posix.basename(id, '.cts')}.cjs`),
        external: 'relative',
      }
    },
  }
}

/** The licences of what is brought along, beside it. */
function licences(): Plugin {
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
