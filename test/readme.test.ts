import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest'
import { parse } from 'yaml'
import { makeProgram } from '../src/cli/program.ts'
import { type Block, Document, documents, REPOSITORY } from './support/documents/document.ts'
import { startDocumentsHub, TOKEN } from './support/documents/models.ts'
import { reportShapes } from './support/documents/shape.ts'
import { Actions } from './support/documents/workflow.ts'
import { ASKS, filesOf, unusedExceptions, Workshop } from './support/documents/workshop.ts'

const blocks = documents.flatMap((document) => document.blocks)
const START = filesOf(under('Start'))
/** Start with that test. */
const RECIPE = { ...START, 'embeddings.test.ts': ASKS }
const CLI = 'npx vitest-model-cache'

/** The blocks under a heading that one document has. */
function under(heading: string, language?: string): Block[] {
  const found = blocks.filter((block) => block.heading === heading && (language ?? block.language) === block.language)
  const paths = new Set(found.map(({ document }) => document))
  if (paths.size !== 1) throw new Error(`"${heading}" has blocks in ${paths.size} documents: ${[...paths].join(', ')}`)
  return found
}

function textOf(heading: string, language: string): string {
  return under(heading, language)
    .map(({ text }) => text)
    .join('\n')
}

// Many processes at a time: where the machine is busy with other tests too, each waits for the others.
vi.setConfig({ testTimeout: 900_000 })

let workshop: Workshop
/** A project as Start has it, after one run. */
let started: string
let firstRun: string

beforeAll(async () => {
  workshop = await Workshop.open(inject('packedPackage'))
  started = await workshop.folder(START)
  const { exitCode, output } = await workshop.run(textOf('Start', 'sh'), started)
  expect(exitCode, output).toBe(0)
  firstRun = output
  await workshop.keepCache()
}, 60_000)
afterAll(() => workshop.close())

test('Start works as written: one download, then no request, and the report and `stats` are as shown', async () => {
  expect(firstRun).toContain('1 request: 0 hits, 1 miss')
  workshop.hub.clearRequests()
  const again = await workshop.run('npx vitest run', started)
  expect(again.exitCode, again.output).toBe(0)
  expect(again.stdout).toContain('1 request: 1 hit, 0 misses')
  expect(workshop.hub.requests).toEqual([])
  expect(reportShapes(again.stdout)).toEqual(reportShapes(textOf('The report', 'text')))
  const { stdout } = await workshop.run(`${CLI} stats`, started)
  expect(words(headsOf(stdout))).toEqual(words(headsOf(textOf('`stats`', 'text'))))
})

/** A project with Jest, of the files under a heading. */
function withJest(heading: string): Promise<string> {
  return workshop.folder({ 'package.json': '{ "private": true }', ...filesOf(under(heading, 'ts')) })
}

test('Start with Jest works as written, by the recipe for CI', async () => {
  const folder = await withJest('Start with Jest')
  const actions = new Actions(workshop, join(folder, 'storage'))
  const workflow = parse(textOf('GitHub Actions, with Jest', 'yaml'))
  await actions.run(workflow, folder, { ref: 'refs/heads/main', secrets: { HF_TOKEN: TOKEN } })
  expect(actions.output).toContain('1 request: 0 hits, 1 miss')
  expect(actions.keys).toEqual([expect.stringMatching(/^models-[0-9a-f]{64}$/)])
})

test('tests in TypeScript work with Jest as written, with the model that is cached', async () => {
  const folder = await withJest('With @swc/jest')
  workshop.hub.clearRequests()
  const { exitCode, output } = await workshop.run(textOf('Start with Jest', 'sh'), folder)
  expect(exitCode, output).toBe(0)
  // One of the untouched pipeline, and one of `models`.
  expect(output).toContain('2 requests: 2 hits, 0 misses')
  expect(workshop.hub.requests).toEqual([])
})

/** The config of Start with another option. */
function configWith(option: string): string {
  return START['vitest.config.ts']?.replace(/modelCache\(.*\)\]/, `modelCache({ ${option} })]`) ?? ''
}

/** What stays the same of the lines of `stats`, whatever was measured. */
function headsOf(output: string): string[] {
  return output.split('\n').filter((line) => /^(run|model|per run|cache) /.test(line))
}

function words(lines: string[]): string[] {
  return lines.map((line) => line.replace(/\d[\d.]*( ?(ms|s|[KMGT]iB|B)\b)?/g, '#').replace(/\s+/g, ' '))
}

describe.concurrent('each snippet', () => {
  test('names its file, and is a fenced block of a language that is executed here, or of output', () => {
    const languages = ['sh', 'ts', 'yaml', 'dockerfile', 'text']
    expect(blocks.filter(({ language = '' }) => !languages.includes(language))).toEqual([])
    expect(
      blocks.filter(({ language = '', file }) => ['ts', 'yaml', 'dockerfile'].includes(language) && !file),
    ).toEqual([])
  })

  /** The types of a function of Next.js, which is not installed here. */
  const NEXT = `declare module 'next/jest.js' {
    const nextJest: (options: { dir: string }) => <Config extends object>(config: Config) => () => Promise<Config>
    export default nextJest
  }`

  test('is right by the types of the package', async () => {
    const types = ['node', 'vitest-model-cache/jest/globals']
    const typescript = { strict: true, module: 'nodenext', target: 'es2022', lib: ['es2023', 'dom'], types }
    const options = { ...typescript, noEmit: true, skipLibCheck: true, allowJs: true, checkJs: true }
    const files = blocks
      .filter(({ language }) => language === 'ts')
      .map(({ heading, file, text }) => [`${heading}/${file}`, text])
    const config = JSON.stringify({ compilerOptions: options, include: ['**/*'] })
    // As @types/jest has them.
    const globals = ['test', 'expect', 'beforeAll'].map(
      (name) => `declare const ${name}: typeof import('@jest/globals').${name}`,
    )
    const folder = await workshop.folder({
      'tsconfig.json': config,
      'globals.d.ts': [...globals, NEXT].join('\n'),
      ...Object.fromEntries(files),
    })
    const tsc = join(REPOSITORY, 'node_modules', 'typescript', 'bin', 'tsc')
    const { exitCode, output } = await workshop.run(`node '${tsc}'`, folder)
    expect(exitCode, output).toBe(0)
  })

  test.each<{ heading: string; files: Record<string, string>; prints: string }>([
    {
      heading: 'A runtime of your own',
      files: { 'vitest.config.ts': configWith("providers: ['./test/sizes.ts']") },
      prints: '1 passed',
    },
    { heading: 'Without the plugin', files: { 'a.test.ts': ASKS }, prints: 'Model cache' },
    {
      heading: 'Load a model once',
      files: { 'dogs.test.ts': under('Load a model once', 'ts').at(-1)?.text ?? '' },
      // Both test files use the model, and one loads it.
      prints: '1 request:',
    },
    { heading: 'With msw', files: { 'vitest.config.ts': configWith('') }, prints: 'Model cache' },
    {
      heading: 'A monorepo',
      files: { 'packages/api/a.test.ts': ASKS, 'packages/web/b.test.ts': ASKS },
      prints: '2 requests',
    },
  ])('of $heading runs', async ({ heading, files, prints }) => {
    const folder = await workshop.folder({ ...filesOf(under(heading, 'ts')), ...files })
    const { exitCode, output } = await workshop.run('npx vitest run', folder)
    expect(exitCode, output).toBe(0)
    expect(output).toContain(prints)
  })

  test('of a test with `models` runs, with the weights that the config declares and no others', async () => {
    const files = { ...filesOf(under('`models` in a test', 'ts')), 'b.test.ts': textOf('What a test gets', 'ts') }
    const folder = await workshop.folder({ ...files, ...filesOf(under('How to name a model', 'ts')) })
    const { exitCode, output } = await workshop.run('npx vitest run', folder)
    expect(exitCode, output).toBe(0)
    const encoders = workshop.hub.requests.flatMap(({ file }) => (file?.includes('encoder') ? [file] : []))
    expect(new Set(encoders)).toEqual(new Set(['onnx/encoder_model_quantized.onnx']))
  })

  test('of a script runs', async () => {
    const { exitCode, output } = await workshop.run(
      'node warm.mjs',
      await workshop.folder(filesOf(under('In a script'))),
    )
    expect(exitCode, output).toBe(0)
    expect(output).toMatch(/all-MiniLM-L6-v2.* disk/)
  })

  test('of the way from mocks runs with the mock, with the model, and in unit mode', async () => {
    const files = filesOf(under('From mocks to models', 'ts'))
    const unmocked = files['mocked.test.ts']?.replace(/vi\.mock\(.*?\n\}\)\)\n/s, '') ?? ''
    expect(unmocked).not.toContain('mock(')
    const config = { 'vitest.config.ts': configWith('') }
    const folder = await workshop.folder({ ...config, ...files, 'unmocked.test.ts': unmocked })
    const { exitCode, output } = await workshop.run(textOf('From mocks to models', 'sh'), folder)
    expect(exitCode, output).toBe(0)
    // Those of the other two.
    expect(output).toContain('2 requests')
  })
})

describe.concurrent('each command', () => {
  const inline = documents
    .flatMap(({ codeSpans }) => codeSpans)
    .filter((span) => /^([A-Z_]+=\S+ )?npx vitest/.test(span))
  const shown = [textOf('Commands', 'sh'), textOf('Remove models', 'sh')].flatMap((text) => text.split('\n'))
  const lines = [...inline, ...shown].map((line) => line.replace(/ +#.*/, ''))
  // The test of Start runs its command.
  const others = lines.filter((line) => !line.includes('<') && line !== textOf('Start', 'sh'))
  const commands = [...new Set(others)]

  test('of the running text and of the lists of commands ends with 0', async () => {
    expect(commands.length).toBeGreaterThan(15)
    const failed = await Promise.all(
      commands.map(async (command) => {
        const env = { MODEL_CACHE_DIR: await workshop.copyOfCache() }
        const { exitCode, output } = await workshop.run(command, started, env)
        return exitCode === 0 ? [] : [`${command}: ${exitCode}\n${output}`]
      }),
    )
    expect(failed.flat()).toEqual([])
  })

  test.each(['Runners of your own', 'Offline', 'Move models', 'Make it and update it'])(
    'of "%s" ends with 0',
    async (heading) => {
      const env = { MODEL_CACHE_DIR: await workshop.copyOfCache() }
      const { exitCode, output } = await workshop.run(textOf(heading, 'sh'), await workshop.folder(RECIPE), env)
      expect(exitCode, output).toBe(0)
    },
  )

  test('for private models ends with 0, and what was warmed needs no token in the test context', async () => {
    const heading = 'Private and gated models'
    const env = { MODEL_CACHE_DIR: await workshop.copyOfCache() }
    const folder = await workshop.folder(filesOf(under(heading, 'ts')))
    const withToken = await workshop.run(textOf(heading, 'sh'), folder, env)
    const without = await workshop.run('npx vitest run -t context', folder, env)
    expect([withToken.exitCode, without.exitCode], withToken.output + without.output).toEqual([0, 0])
  })

  test('of the table is one of the program, with the flags that are told of it, and none is left out', () => {
    const { commands } = makeProgram()
    const rows = new Document('docs/command-line.md')
      .table('All commands')
      .map(([name = '', does = '']) => ({ name: name.replaceAll('`', ''), does }))
    const named = rows.flatMap(({ name }) =>
      name
        .replace(/[<[].*/, '')
        .split(',')
        .map((part) => part.trim()),
    )
    const known = commands.flatMap((command) => [command.name(), ...command.aliases()])
    expect(named.sort()).toEqual(known.sort())
    const wrong = rows.flatMap(({ name, does }) => {
      const command = commands.filter((command) => command.name() === name.split(/[, ]/, 1)[0])
      const help = command.flatMap((one) => [one, ...one.commands].map((part) => part.helpInformation())).join('\n')
      return [...does.matchAll(/--[\w-]+/g)].flatMap(([flag]) => (help.includes(flag) ? [] : [`${name} ${flag}`]))
    })
    expect(wrong).toEqual([])
  })

  test('that is not executed is in a document', () => {
    const lines = blocks.flatMap(({ text }) => text.split('\n'))
    const run = lines.map((line) => line.replace(/^ *(?:- (?:run: )?|RUN )/, ''))
    expect(unusedExceptions(run)).toEqual([])
  })
})

describe.concurrent('the recipe for', () => {
  const secrets = { HF_TOKEN: TOKEN }

  test('CI in the README stores the cache, and the next run restores it', async () => {
    const folder = await workshop.folder(RECIPE)
    const actions = new Actions(workshop, join(folder, 'storage'))
    const workflow = { jobs: { test: { steps: parse(textOf('CI', 'yaml')) } } }
    await actions.run(workflow, folder, { ref: 'refs/heads/main', secrets: {} })
    expect(actions.keys).toEqual([expect.stringMatching(/^models-[0-9a-f]{64}$/)])
    await actions.run(workflow, folder, { ref: 'refs/pull/1/merge', secrets: {} })
    expect(actions.output).toContain('1 request: 1 hit, 0 misses')
    expect(actions.keys).toHaveLength(1)
  })

  test('GitHub Actions stores the cache of main, and a pull request from a fork has it', async () => {
    const { hub, close } = await startDocumentsHub()
    try {
      const workflow = parse(textOf('GitHub Actions', 'yaml'))
      const folder = await workshop.folder(RECIPE)
      const actions = new Actions(workshop, join(folder, 'storage'), { HF_ENDPOINT: hub.url })
      await actions.run(workflow, folder, { ref: 'refs/heads/main', secrets })
      expect(actions.keys).toEqual([expect.stringMatching(/^models-Linux-\d{4}-\d\d-[0-9a-f]{16}$/)])
      hub.clearRequests()
      await actions.run(workflow, folder, { ref: 'refs/pull/1/merge', secrets: {} })
      expect(actions.output).toContain('1 request: 1 hit, 0 misses')
      expect(hub.requests).toEqual([])
      expect(await readFile(join(folder, 'storage', 'summary.md'), 'utf8')).toContain('Xenova/all-MiniLM-L6-v2')
      // Another model on main: another key.
      await workshop.write(folder, {
        'vitest.config.ts': configWith("models: ['org/weights', 'Xenova/all-MiniLM-L6-v2']"),
      })
      const { steps } = workflow.jobs.test
      workflow.jobs.test.steps = steps.filter(({ run = '' }: { run?: string }) => !/ (vitest run|optimize)$/.test(run))
      await actions.run(workflow, folder, { ref: 'refs/heads/main', secrets })
      expect(new Set(actions.keys).size).toBe(2)
    } finally {
      await close()
    }
  })

  test('shards has one job ask the Hub', async () => {
    const folder = await workshop.folder({ ...RECIPE, 'b.test.ts': ASKS })
    const actions = new Actions(workshop, join(folder, 'storage'))
    await actions.run(parse(textOf('GitHub Actions, in shards', 'yaml')), folder, { ref: 'refs/heads/main', secrets })
    expect(actions.output.match(/1 request: 1 hit, 0 misses/g)).toHaveLength(2)
    expect(actions.keys).toHaveLength(1)
  })

  test('GitLab runs', async () => {
    const { test: job } = parse(textOf('GitLab CI', 'yaml'))
    expect(job.cache.paths.map((path: string) => `$CI_PROJECT_DIR/${path}`)).toEqual([job.variables.MODEL_CACHE_DIR])
    const folder = await workshop.folder(RECIPE)
    const variables = Object.entries<string>(job.variables).map(([name, value]) => `export ${name}="${value}"`)
    const env = { CI: 'true', CI_PROJECT_DIR: folder }
    const { exitCode, output } = await workshop.run([...variables, ...job.script].join('\n'), folder, env)
    expect(exitCode, output).toBe(0)
    expect(existsSync(join(folder, '.model-cache', 'hub'))).toBe(true)
  })

  test('Docker has the models in a layer that needs the config alone', async () => {
    const folder = await workshop.folder({})
    const lines = textOf('Docker', 'dockerfile').replaceAll('/models', join(folder, 'models')).split('\n')
    const script = lines.flatMap((line) => {
      const [, instruction, rest = ''] = /^(ENV|RUN|CMD) (.*)$/.exec(line) ?? []
      if (instruction === 'ENV') return [`export "${rest}"`]
      if (instruction === 'RUN') return [rest]
      return instruction === 'CMD' ? [JSON.parse(rest).join(' ')] : []
    })
    const copiedFirst = lines.slice(0, lines.indexOf('COPY . .')).filter((line) => /^COPY .*vitest/.test(line))
    expect(copiedFirst).toEqual(['COPY vitest.config.ts ./'])
    await workshop.write(folder, { 'vitest.config.ts': START['vitest.config.ts'] ?? '' })
    const layer = await workshop.run(script.slice(0, -2).join('\n'), folder)
    expect(layer.exitCode, layer.output).toBe(0)
    await workshop.write(folder, RECIPE)
    const { exitCode, output } = await workshop.run(script.filter((line) => !line.includes(' warm')).join('\n'), folder)
    expect(exitCode, output).toBe(0)
    expect(output).toContain('1 request: 1 hit, 0 misses')
  })
})
