// `npm run build`: tsc writes the types, and rolldown bundles the code into few files.
import { chmod, copyFile, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join, posix, relative, sep } from 'node:path'
import { execa } from 'execa'
import { type BuildOptions, build, type Plugin } from 'rolldown'

const SRC = join(import.meta.dirname, 'src')

// The files that are loaded by name: the exports, and what is loaded by its path.
const ENTRIES = [
  'index',
  'models',
  'cache/index',
  'cli/main',
  'intercept/child',
  'intercept/unit',
  'node-test/index',
  'run/end/maintenance',
  'vitest/global-setup',
  'vitest/reporter',
  'vitest/setup-file',
  ...['node', 'jsdom', 'happy-dom', 'edge-runtime'].map((name) => `vitest/environments/${name}`),
  ...['index', 'wire-config', 'jest-preset', 'global-setup', 'global-teardown', 'reporter', 'test-sequencer'].map(
    (name) => `jest/${name}`,
  ),
  ...['environment', 'environments/node', 'environments/jsdom', 'test-runner'].map((name) => `jest/${name}`),
]

/**
 * The chunks, by processes and by steps of a run. A module goes into the first chunk of which an entry loads it at once. Entries stay in
 * files of their own: to load one has effects.
 *
 * Node.js takes about half a millisecond to load a file. With rolldown's own splitting the main process of a warm run loads 46 files
 * before the tests in place of 7 (20 ms more), and a worker that needs a model 43 in place of 6 (18 ms more).
 */
const CHUNKS: Record<string, string[]> = {
  // Pages load this chunk too, so its modules must not need Node.js. The command line loads it first.
  models: ['models', 'config/units', 'config/environment-variables'],
  worker: ['vitest/setup-file'],
  engine: ['run/worker/engine', 'intercept/child'],
  // After the engine: what both load is the engine's, and Vitest's workers load no chunk of Jest.
  'jest-worker': ['jest/environment', 'jest/test-runner'],
  environment: ['vitest/environments/node'],
  main: ['index', 'vitest/global-setup', 'vitest/reporter', 'cache/index', 'platform/slices'],
  // For a run that finds every model on disk.
  'on-disk': ['cache/on-disk', 'cache/lookup/locate-on-disk', 'cache/store/entries/metadata'],
  // For commands that only look, and for the end of a run. A run loads it while its tests run.
  look: [
    ...['cache/inspect/status', 'cache/inspect/statistics', 'cache/lookup/list-entries', 'cache/upkeep/record-uses'],
    ...['cache/upkeep/maintenance/look-due', 'report/words', 'report/lines'],
  ],
  'after-run': ['run/end/conclude-run', 'cache/upkeep/maintenance/maintain-briefly'],
  scan: ['run/start/scan/scan'],
  'complete-model': ['cache/intake/complete-model', 'cache/upkeep/make-room', 'cache/context/connections'],
  jest: ['jest/global-setup', 'jest/global-teardown', 'jest/reporter', 'jest/wire-config', 'jest/test-sequencer'],
  'command-line': ['cli/main'],
  'open-cache': ['cli/open-cache'],
}

const input = (names: string[]) => Object.fromEntries(names.map((name) => [name, join(SRC, `${name}.ts`)]))
const isEntry = (id: string) => ENTRIES.some((entry) => id === join(SRC, `${entry}.ts`))
const isExternal = (id: string) => !/^[./]/.test(id)

// Small packages, and packages of which the code uses little. Their code goes into our chunks, so that Node.js loads fewer files.
const SMALL = ['valibot', 'p-limit', 'yocto-queue', 'picomatch', 'commander', 'tar', '@huggingface/hub']

// The packages for the charts of one command are bundled: as dependencies everybody would install 43 packages. The bundler itself
// adds imports of @oxc-project/runtime.
const BUNDLED = ['@observablehq/plot', '@xmldom/xmldom', '@babel/parser', '@oxc-project/runtime', ...SMALL]
const isForeign = (id: string | undefined) => id?.includes('node_modules') === true
const isOf = (name: string, id: string) => id.replaceAll('\\', '/').includes(`/node_modules/${name}/`)

const BUNDLES: BuildOptions[] = [
  {
    input: input(ENTRIES),
    external: (id, importer) => isExternal(id) && !BUNDLED.some((name) => id.startsWith(name)) && !isForeign(importer),
    platform: 'node',
    // The worker imports this module early, for the modules that import it later.
    treeshake: { moduleSideEffects: [{ test: /^node:fs\/promises$/, sideEffects: true }] },
    // Some modules are imported late in one place and at once in another.
    checks: { ineffectiveDynamicImport: false },
    plugins: [ownPlaces(SRC), preloadAsBuilt(join(import.meta.dirname, 'dist/intercept')), licences()],
    output: {
      dir: 'dist',
      // Jest passes files that end in `.js` to the user's transforms, if these cover node_modules.
      entryFileNames: ({ name }) => `${name}.${name.startsWith('jest/') ? 'mjs' : 'js'}`,
      chunkFileNames: 'chunks/[name].js',
      codeSplitting: {
        groups: [
          { priority: 21, name: 'xml', test: (id: string) => isOf('@xmldom/xmldom', id) },
          { priority: 21, name: 'parser', test: (id: string) => isOf('@babel/parser', id) },
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
          // Rolldown takes a negative priority for the highest one.
          ...Object.entries(CHUNKS).map(([name, entries], index) => ({
            priority: 19 - index,
            debugName: name,
            name: (id: string, context: ModuleGraph) =>
              !isEntry(id) && loadedAtOnce(entries, context).has(id) ? name : null,
          })),
        ],
      },
    },
  },
  // For pages. In a bundle of its own it shares no chunk with files that need Node.js.
  {
    input: input(['vitest/browser/setup-file']),
    external: isExternal,
    output: { dir: 'dist', entryFileNames: '[name].js' },
  },
  // The preload, which an old Node.js may load by `--require`: such a Node.js has to be able to parse it, and may lack what it requires.
  // The other files are loaded by the preload when they are needed.
  ...['preload', 'hub-socket', 'extend-source', 'attach-mocks'].map((name) => ({
    input: { [name]: join(SRC, `intercept/${name}.cts`) },
    external: (id: string) => isExternal(id) || id.endsWith('.cjs'),
    platform: 'node' as const,
    ...(name === 'preload' && { transform: { target: 'es2019' } }),
    output: {
      ...{ dir: 'dist/intercept', entryFileNames: '[name].cjs', format: 'cjs' as const },
      ...(name === 'preload' && { banner: 'if (parseInt(process.versions.node, 10) < 20) return' }),
    },
  })),
  // For tests that Jest runs as CommonJS.
  {
    input: input(['jest/index']),
    external: (id: string) => isExternal(id),
    platform: 'node',
    output: { dir: 'dist', entryFileNames: '[name].cjs', format: 'cjs' },
  },
  // The tasks of worker threads, which have no loader for TypeScript.
  ...['cache/store/downloads/digest-worker', 'cache/store/packs/coder-thread', 'cache/store/packs/cutter-thread'].map(
    (name) => ({
      input: { [name]: join(SRC, `${name}.mjs`) },
      external: isExternal,
      platform: 'node' as const,
      output: { dir: 'dist', entryFileNames: '[name].mjs' },
    }),
  ),
]

await rm('dist', { recursive: true, force: true })
await execa('tsc', ['-p', 'src'], { preferLocal: true, stdio: 'inherit' })
for (const bundle of BUNDLES) await build(bundle)
await withoutFacades('dist')
await inAscii('dist/chunks')
for (const schema of ['report/report', 'model/models.lock'])
  await copyFile(`src/${schema}.schema.json`, `dist/${schema}.schema.json`)
for (const types of ['jest/index', 'jest/environment']) {
  const source = await readFile(`src/${types}.d.cts`, 'utf8')
  await writeFile(`dist/${types}.d.cts`, source.replaceAll(/\.ts(?=' with )/g, '.js'))
}
await chmod('dist/cli/main.js', 0o755)

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

/** Has `import.meta.url` of a module below `folder` stay the module's own place in `dist`, whichever chunk the module is in. */
function ownPlaces(folder: string): Plugin {
  const MARK = '__OWN_PLACE__'
  return {
    name: 'own-places',
    transform(code, id) {
      if (id.includes('node_modules')) return undefined
      const place = relative(folder, id).split(sep).join('/')
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

/** Has imports of a `.cts` file load its built file in `folder`. `--require` loads the same file, so a process has one copy. */
function preloadAsBuilt(folder: string): Plugin {
  return {
    name: 'preload-as-built',
    resolveId(id) {
      if (!id.endsWith('.cts')) return undefined
      return {
        id: join(folder, `${posix.basename(id, '.cts')}.cjs`),
        external: 'relative',
      }
    },
  }
}

/** Writes the licences of the packages whose code is in the bundle. */
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

/**
 * Removes the facades, and has their importers import the chunks. Rolldown writes a facade for a module that is imported late and whose
 * chunk holds more modules: a file that exports only the names of that module. Each facade is one more file to load. A warm run would
 * load six of them in the main process and one in each worker.
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

/** Writes other characters as escapes. One emoji doubles the memory that a chunk takes, and Node.js reads it more slowly. */
async function inAscii(folder: string): Promise<void> {
  const escaped = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  for (const name of await readdir(folder)) {
    const source = await readFile(join(folder, name), 'utf8')
    const written = source.replaceAll(/[^\0-\x7f]/g, escaped)
    if (written !== source) await writeFile(join(folder, name), written)
  }
}
