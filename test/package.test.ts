import { cp, mkdir, mkdtemp, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { builtinModules } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { list } from 'tar'
import { expect, inject, onTestFinished, test } from 'vitest'
import { configSource } from './support/config-source.ts'
import { Consumer } from './support/consumer.ts'
import { Document, documents } from './support/documents/document.ts'
import { startModelsHub } from './support/models-hub.ts'
import { removeFolder } from './support/remove-folder.ts'

const { env } = await startModelsHub(['org/embeddings'])
const MODULES = fileURLToPath(new URL('../node_modules', import.meta.url))

async function emptyFolder(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'empty project '))
  onTestFinished(() => removeFolder(directory))
  return directory
}

test('the package holds the build, the licence and the documents, and nothing else', async () => {
  const paths: string[] = []
  await list({ file: inject('tarball'), onReadEntry: ({ path }) => paths.push(path.replace('package/', '')) })
  const isOfFolder = /^(dist|docs|examples)\//
  const texts = ['CHANGELOG.md', 'CONTRIBUTING.md', 'LICENSE', 'README.md', 'package.json']
  expect(paths.filter((path) => !isOfFolder.test(path)).sort()).toEqual(texts)
  expect(paths.filter((path) => path.startsWith('examples/demo'))).toEqual([])
  const linked = [...documents, new Document('CONTRIBUTING.md')].flatMap(({ links }) => links.map(({ path }) => path))
  expect(linked.filter((link) => !paths.some((path) => path === link || path.startsWith(`${link}/`)))).toEqual([])
  const others = paths.filter((path) => path.startsWith('dist/') && !/\.([cm]?js|d\.[cm]?ts)$/.test(path))
  expect(others.sort()).toEqual([
    'dist/LICENSES-OF-OTHERS.txt',
    'dist/model/models.lock.schema.json',
    'dist/report/report.schema.json',
  ])
  // The command line has a long name and a short one.
  const { bin } = JSON.parse(await readFile(join(inject('packedPackage'), 'package.json'), 'utf8'))
  expect(bin).toEqual({ 'vitest-model-cache': './dist/cli/main.js', vmc: './dist/cli/main.js' })
})

test('the package imports only declared dependencies', async () => {
  const folder = inject('packedPackage')
  const { name, dependencies, peerDependencies } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))
  // Its own name is in the configs that `init` writes.
  const declared = new Set([name, ...Object.keys({ ...dependencies, ...peerDependencies }), ...builtinModules])
  const files = (await readdir(folder, { recursive: true })).filter((path) => /\.[cm]?js$/.test(path))
  const imported = new Set<string>()
  for (const path of files) {
    const source = await readFile(join(folder, path), 'utf8')
    for (const [, name = ''] of source.matchAll(
      /(?:^(?:import|export)\b[^"';]*?|\bimport\()["']((?:@[\w-]+\/)?[\w-]+)[\w./-]*["'](?:;?$|\))/gm,
    ))
      imported.add(name)
  }
  expect(imported.size).toBeGreaterThan(5)
  expect([...imported].filter((name) => !declared.has(name))).toEqual([])
})

test.each([
  ['vitest/setup-file.js', /^(models|worker)\.js$/],
  ['chunks/engine.js', /^(models|worker)\.js$/],
  ['jest/test-runner.mjs', /^(models|worker|jest-worker)\.js$/],
  ['models.js', /^models\.js$/],
])('%s loads at once only the chunks of its process', async (file, allowed) => {
  const dist = join(inject('packedPackage'), 'dist')
  const loaded = new Set([join(dist, file)])
  for (const path of loaded)
    for (const [, chunk = ''] of (await readFile(path, 'utf8')).matchAll(/^(?:import|export)\b[^"']*"(\.[^"]+)"/gm))
      if (!chunk.endsWith('.cjs')) loaded.add(join(dirname(path), chunk))
  const chunks = [...loaded].slice(1).map((path) => basename(path))
  expect(chunks.length).toBeGreaterThan(0)
  expect(chunks.filter((name) => !allowed.test(name))).toEqual([])
})

test('the types of the package import only declared dependencies', async () => {
  const folder = inject('packedPackage')
  const { dependencies, peerDependencies, exports } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))
  const declared = Object.keys({ ...dependencies, ...peerDependencies })
  const todo = Object.values<{ types?: string }>(exports).flatMap(({ types }) =>
    types === undefined ? [] : ['node', 'jsdom'].map((name) => join(folder, types.replace('*', name))),
  )
  const foreign = new Set<string>()
  for (const path of todo) {
    for (const [, name = ''] of (await readFile(path, 'utf8')).matchAll(/(?:from |import\()['"]([^'"]+)['"]/g)) {
      const file = join(path, '..', name.replace(/(\.c?)[jt]s$/, '.d$1ts'))
      if (!name.startsWith('.')) foreign.add(name)
      else if (!todo.includes(file)) todo.push(file)
    }
  }
  const undeclared = [...foreign].filter((name) => !declared.some((known) => `${name}/`.startsWith(`${known}/`)))
  expect(undeclared.filter((name) => !name.startsWith('node:'))).toEqual([])
})

test('the package has all its exports', async () => {
  const consumer = await Consumer.create({
    files: {
      'all.mjs': `
        for (const path of ['', '/models', '/cache', '/reporter', '/environments/node', '/environments/jsdom',
          '/environments/happy-dom', '/environments/edge-runtime', '/global-setup'])
          console.log(path, Object.keys(await import('vitest-model-cache' + path)).join())
        console.log(import.meta.resolve('vitest-model-cache/setup-file'), import.meta.resolve('vitest-model-cache/package.json'))
      `,
    },
  })
  const { output } = await consumer.shell('cd app && node all.mjs')
  expect(output).toContain('ModelCacheError,defineProvider,defineRemote,modelCache')
  expect(output).toContain('/models models')
  expect(output).toContain('/cache ModelCache,ModelCacheError')
  expect(output).toContain('dist/vitest/setup-file.js')
})

test('the plugin loads in a config without heavy dependencies', async () => {
  const directory = await emptyFolder()
  await writeFile(join(directory, 'package.json'), '{ "type": "module" }')
  const modules = join(directory, 'node_modules')
  await mkdir(modules)
  await cp(inject('packedPackage'), join(modules, 'vitest-model-cache'), { recursive: true })
  // Only these dependencies may be loaded: not Vitest, @huggingface/hub, transformers.js or onnxruntime.
  for (const light of ['valibot', 'env-paths', 'is-safe-filename'])
    await symlink(join(MODULES, light), join(modules, light))
  const script = `import { modelCache } from 'vitest-model-cache'; console.log(modelCache().api.options.mode)`
  const { stdout } = await execa(process.execPath, ['--input-type=module', '--eval', script], { cwd: directory })
  expect(stdout).toBe('integration')
})

/** What README.md says to write where `tsconfig.json` does not include the Vitest config. */
const TYPES = new Document('README.md').codeSpans
  .filter((span) => span.startsWith('"types": '))
  .map((span) => JSON.parse(`{${span}}`).types)[0]

test('`models` of the test context has types, by task where transformers.js is installed', async () => {
  const consumer = await Consumer.create({
    hasTypes: true,
    files: {
      'tsconfig.json': JSON.stringify({
        compilerOptions: {
          strict: true,
          module: 'nodenext',
          target: 'es2022',
          noEmit: true,
          skipLibCheck: true,
          types: TYPES,
        },
        include: ['a.test.ts'],
      }),
      'vitest.config.ts': configSource({ models: ['org/embeddings'] }),
      'a.test.ts': `
        import { beforeAll, expect, test } from 'vitest'
        import { models as imported } from 'vitest-model-cache/models'
        import type { FeatureExtractionPipeline } from '@huggingface/transformers'
        beforeAll(async () => { const path: string = await imported.path('a/b'); expect(path).toBeTruthy() })
        test('typed', async ({ models }) => {
          const embed: FeatureExtractionPipeline = await models.pipeline('feature-extraction', 'a/b', { dtype: 'q8' })
          const { text } = await (await models.transcriber('a/b')).transcribe('x.wav', { onProgress: ({ seconds }) => seconds.toFixed() })
          const session = await models.provider('onnxruntime').load('a/b', { file: 'x.onnx' })
          expect([embed, text.length, session.inputNames.length]).toBeTruthy()
          // @ts-expect-error there is no such task
          await models.pipeline('no-such-task', 'a/b')
          // @ts-expect-error there is no such dtype
          await models.path({ repo: 'a/b', dtype: 'q5' })
        })
      `,
    },
  })
  const { exitCode, output } = await consumer.shell(`cd app && node "${join(MODULES, 'typescript', 'bin', 'tsc')}"`)
  expect(exitCode, output).toBe(0)
})

test('the package works without the plugin, if global setup, environment and reporter are set in the config', async () => {
  const consumer = await Consumer.create({
    files: {
      'vitest.config.ts': `
        import { fileURLToPath } from 'node:url'
        import { defineConfig } from 'vitest/config'
        export default defineConfig({
          test: {
            globalSetup: 'vitest-model-cache/global-setup',
            setupFiles: 'vitest-model-cache/setup-file',
            environment: fileURLToPath(import.meta.resolve('vitest-model-cache/environments/node')),
            environmentOptions: { modelCache: { models: ['org/embeddings'], report: { outputFile: 'report.json' } } },
            reporters: ['default', 'vitest-model-cache/reporter'],
          },
        })
      `,
      'a.test.ts': `
        import { test } from 'vitest'
        test('embeds', async ({ models }) => { await models.pipeline('feature-extraction', 'org/embeddings') })
      `,
    },
  })
  const { exitCode, output, report } = await consumer.vitest([], env)
  expect(exitCode, output).toBe(0)
  expect(report).toMatchObject({ requests: 1, misses: 1 })
})

/**
 * Installs packages. npm ends without an error when the download of an optional dependency fails, and the native parts of Vite
 * are such dependencies (https://github.com/npm/cli/issues/4828). Then the installation is done again.
 */
async function install(directory: string, packages: string[]): Promise<void> {
  for (let tries = 1; ; tries++) {
    await execa('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', ...packages], { cwd: directory })
    const loaded = await execa('node', ['-e', "import('vite')"], { cwd: directory, reject: false })
    if (!loaded.failed) return
    if (tries === 3) throw loaded
    for (const name of ['node_modules', 'package-lock.json']) await removeFolder(join(directory, name))
  }
}

test('the tarball can be installed into an empty project and works there', async () => {
  const directory = await emptyFolder()
  const { version } = JSON.parse(await readFile(join(MODULES, 'vitest', 'package.json'), 'utf8'))
  await writeFile(join(directory, 'package.json'), '{ "type": "module", "private": true }')
  const packages = [inject('tarball'), `vitest@${version}`]
  await install(directory, packages)
  await writeFile(join(directory, 'vitest.config.ts'), configSource({ models: ['org/embeddings'] }))
  await writeFile(
    join(directory, 'a.test.ts'),
    `import { existsSync } from 'node:fs'
     import { expect, test } from 'vitest'
     test('x', async ({ models }) => { expect(existsSync(await models.file('org/embeddings', 'config.json'))).toBe(true) })`,
  )
  const options = { cwd: directory, env: { ...env, MODEL_CACHE_DIR: join(directory, 'cache') } }
  await execa('npx', ['vitest', 'run'], options)
  const { stdout } = await execa('npx', ['vitest-model-cache', 'ls'], options)
  expect(stdout).toContain('org/embeddings')
})
