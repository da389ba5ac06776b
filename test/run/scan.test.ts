import fs from 'node:fs'
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { ModelCache } from '../../src/cache/index.ts'
import { resolveOptions } from '../../src/config/options.ts'
import { describeModel } from '../../src/model/model.ts'
import type { ProjectPlaces, Queue } from '../../src/run/queue.ts'
import { readSources } from '../../src/run/start/read-sources.ts'
import { removeFolder } from '../support/remove-folder.ts'

/** A folder with source files. */
async function project(files: Record<string, string | Buffer>) {
  const root = await realpath(await mkdtemp(join(tmpdir(), 'scan test ')))
  onTestFinished(() => removeFolder(root))
  const options = resolveOptions({ cacheDir: 'cache' }, {}, root)
  const write = async (files: Record<string, string | Buffer>) => {
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(join(root, path)), { recursive: true })
      await writeFile(join(root, path), content)
    }
  }
  await write(files)
  const scan = async (queued: string[], places: Partial<ProjectPlaces> = {}, names: Partial<Queue> = {}) => {
    const cache = new ModelCache(options)
    const all = { folders: [root], setupFiles: [], ...places }
    const queue = { files: queued, ...names, places: () => all }
    const named = await readSources({ root, options, cache }, queue, 100_000)
    if (!named) throw new Error('The scan failed.')
    return named
  }
  return { root, write, scan }
}

/** What one test file names. */
async function namedIn(source: string, others: Record<string, string> = {}, path = 'a.test.ts') {
  const { scan } = await project({ [path]: source, ...others })
  const named = (await scan([path])).get(path)
  return { models: named?.models.map(describeModel).sort(), ids: named?.ids, isWhole: named?.isWhole }
}

const models = async (source: string, others?: Record<string, string>, path?: string) =>
  (await namedIn(source, others, path)).models

test('calls with a literal id name a model', async () => {
  expect(
    await models(`
      import { pipeline, AutoTokenizer, AutoModelForCausalLM as LM } from '@huggingface/transformers'
      test('one', async ({ models }) => {
        await pipeline('feature-extraction', 'org/a', { dtype: 'q8', revision: 'v1' })
        await AutoTokenizer.from_pretrained(\`org/b\`)
        await AutoModelForCausalLM.from_pretrained('org/c', { dtype: 'fp16' })
        await models.file('org/d', 'config.json')
        await models.pipeline('text-classification', { repo: 'org/e', dtype: 'q4' })
        await models.session('org/f@v2', 'onnx/model.onnx')
        await models.path({ repo: 'org/g', files: ['*.json'] })
        await models.transcriber('org/h')
      })
    `),
  ).toEqual([
    'org/a@v1 (feature-extraction, q8)',
    'org/b (tokenizer*.json)',
    'org/c (text-generation, fp16)',
    'org/d (config.json)',
    'org/e (text-classification, q4)',
    'org/f@v2 (onnx/model.onnx)',
    'org/g (*.json)',
    'org/h (automatic-speech-recognition)',
  ])
})

test('a loader may have another name', async () => {
  const source = `
    import { pipeline as load, AutoTokenizer as Words } from '@huggingface/transformers'
    import { embed } from './helper'
    test('one', async () => {
      await load('feature-extraction', 'org/import')
      await Words.from_pretrained('org/class')
      await embed('feature-extraction', 'org/export')
      const { pipeline: p } = await import('@huggingface/transformers')
      await p('feature-extraction', 'org/part')
    })
  `
  const others = { 'helper.ts': "export { pipeline as embed } from '@huggingface/transformers'" }
  expect(await models(source, others)).toEqual([
    'org/class (tokenizer*.json)',
    ...['export', 'import', 'part'].map((name) => `org/${name} (feature-extraction)`),
  ])
})

test('an id comes from constants, objects, fields of classes, JSON and other files', async () => {
  const others = {
    'src/ids.ts': `
      export const IDS = { small: 'org/small' as const, large: 'org/large' } satisfies Record<string, string>
      export default 'org/default'
    `,
    'src/index.ts': `export * from './ids.js'\nexport { default as fallback } from './ids'`,
    'models.json': '{ "json": { "id": "org/json" }, "list": ["org/first"] }',
    'lib/old.cjs': `exports.ID = 'org/old'; exports.load = (id) => 1`,
  }
  expect(
    await models(
      `
      import { pipeline } from '@huggingface/transformers'
      import { IDS, fallback } from './src'
      import * as all from './src/index'
      import config from './models.json'
      const { ID } = require('./lib/old.cjs')
      const TASK = 'feature-extraction'
      const options = { dtype: 'q8' } as const
      class Embedder {
        static task = 'feature-extraction' as const
        static model = 'org/field'
        static load() { return (this.instance ??= pipeline(this.task, this.model, this.options)) }
        constructor() { this.options = { dtype: 'q8' } }
      }
      let late: string
      beforeAll(async () => { late = 'org/late' })
      test('one', async () => {
        await pipeline(TASK, IDS.small, options)
        await pipeline(TASK, all.IDS.large)
        await pipeline(TASK, fallback)
        await pipeline(TASK, config.json.id)
        await pipeline(TASK, config.list[0])
        await pipeline(TASK, ID)
        await pipeline(TASK, late!)
        const model = process.env.MODEL ?? 'org/env'
        await pipeline(TASK, model)
      })
    `,
      others,
    ),
  ).toEqual(
    ['default', 'env', 'field', 'first', 'json', 'large', 'late', 'old', 'small'].map(
      (name) => `org/${name} (feature-extraction${['field', 'small'].includes(name) ? ', q8' : ''})`,
    ),
  )
})

test('an id goes through functions of the project, loops and tables of tests', async () => {
  const others = {
    'helper.ts': `
      import { pipeline } from '@huggingface/transformers'
      export async function embedder(id: string, { dtype = 'fp16' } = {}) {
        return pipeline('feature-extraction', id, { dtype })
      }
      export const withDefault = (id = 'org/default') => embedder(id)
    `,
  }
  const source = `
    import { embedder, withDefault } from './helper'
    const local = (id) => embedder(id, { dtype: 'q4' })
    test('one', () => embedder('org/one', { dtype: 'q8' }))
    test('two', () => embedder('org/two'))
    test('local', () => local('org/local'))
    test('default', () => withDefault())
    test.each(['org/each'])('%s', (id) => embedder(id))
    test.each([['org/row', 1], ['org/row2', 2]])('%s', async (id, _) => { await embedder(id) })
    describe.each([{ id: 'org/object', dtype: 'q4' }, { id: 'org/object2', dtype: 'q8' }])('$id', ({ id, dtype }) => {
      test('one', () => embedder(id, { dtype }))
    })
    for (const id of ['org/loop']) test(id, () => embedder(id))
  `
  expect(await namedIn(source, others)).toEqual({
    models: [
      ...['default', 'each'].map((name) => `org/${name} (feature-extraction, fp16)`),
      'org/local (feature-extraction, q4)',
      'org/loop (feature-extraction, fp16)',
      'org/object (feature-extraction, q4)',
      'org/object2 (feature-extraction, q8)',
      'org/one (feature-extraction, q8)',
      ...['row', 'row2', 'two'].map((name) => `org/${name} (feature-extraction, fp16)`),
    ],
    ids: [],
    isWhole: true,
  })
})

test('what is no model of the Hub names none', async () => {
  const source = `
    import { pipeline } from 'node:stream/promises'
    import models from './database'
    import type { Thing } from './gone'
    // await pipeline('feature-extraction', 'org/comment')
    const db = createDatabase()
    test('one', async () => {
      await pipeline('text/plain', 'image/png')
      await pipeline(source, sink)
      await models.file('text/plain', 'a.txt')
      await db.models.path('users/all')
      await Auto.from_pretrained('./models/local')
      await AutoModel.from_pretrained('org/only-local', { local_files_only: true })
      await AutoModel.from_pretrained('models/folder')
      expect('application/json').toBe('org/expected')
    })
  `
  const others = {
    'database.ts': 'export default create()',
    'models/folder/config.json': '{}',
  }
  expect(await namedIn(source, others)).toMatchObject({ models: [], isWhole: true })
})

test('a test that may be skipped names no model', async () => {
  const load = (name: string) => `AutoConfig.from_pretrained('org/${name}')`
  const source = `
    const e2e = process.env.E2E ? test : test.skip
    const whole = describe.runIf(process.env.E2E)
    test.skip('a', () => ${load('skip')})
    describe.todo('a', () => { test('x', () => ${load('todo')}) })
    test.skipIf(!process.env.E2E)('a', () => ${load('skip-if')})
    e2e('a', () => ${load('chosen')})
    whole('a', () => { test('b', () => ${load('run-if')}) })
    test('a', { skip: !process.env.E2E }, () => ${load('option')})
    test('a', async (context) => { context.skip(); await ${load('context')} })
    test('a', async () => { if (!process.env.E2E) return; await ${load('return')} })
    beforeAll(async () => { if (!process.env.E2E) { return } await ${load('hook')} })
    if (process.env.E2E) test('a', () => ${load('if')})
    test('a', () => expect(${load('rejected')}).rejects.toThrow())
    const helper = async () => { if (loaded) return loaded; return ${load('helper')} }
    test('a', { timeout: 5, skip: false }, async () => { if (x) await ${load('inside')} })
    beforeAll(async () => { loaded ??= await ${load('memo')} })
  `
  expect(await models(source)).toEqual(['helper', 'inside', 'memo'].map((name) => `org/${name} (config.json)`))
})

test('ids in other places are told apart: they count only where such a model is known', async () => {
  const source = `
    import { REGISTRY, embed } from './helper'
    const UNUSED = 'org/unused'
    const USED = 'org/used'
    test('one', () => embed({ model: 'org/literal', other: REGISTRY.small }, USED))
    class Store { model = 'org/field' }
  `
  const others = {
    'helper.js': `export const REGISTRY = { small: 'org/small', large: 'org/large' }\nexport const embed = run()`,
  }
  expect((await namedIn(source, others)).ids?.sort()).toEqual(['org/field', 'org/literal', 'org/small', 'org/used'])
})

test('a model whose files the call does not tell is no reason for a download', async () => {
  const source = `
    test('one', async ({ models }) => {
      await pipeline('feature-extraction', 'org/a', { dtype: process.env.DTYPE })
      await pipeline('feature-extraction', 'org/b', options)
      await models.file('org/c', name)
      await SomeClass.from_pretrained('org/d')
    })
  `
  expect(await namedIn(source)).toMatchObject({ models: [], ids: ['org/a', 'org/b', 'org/c', 'org/d'] })
})

test('a call with more combinations of values than are followed may load further models', async () => {
  const files = Array.from({ length: 20 }, (_, index) => `a === ${index} ? 'file${index}' : `).join('')
  const few = await namedIn(`models.file('org/a', ${files}'last')`)
  expect([few.models?.length, few.isWhole]).toEqual([21, true])
  const many = await namedIn(`models.file(a ? 'org/a' : 'org/b', ${files}'last')`)
  expect([many.models?.length, many.isWhole]).toEqual([30, false])
})

test('a mock of the test replaces what would be loaded', async () => {
  const helper = `
    import { pipeline } from '@huggingface/transformers'
    export const embed = () => pipeline('feature-extraction', 'org/a')
  `
  const others = {
    'helper.ts': helper,
    'other.ts': `import { embed } from './helper'\nexport const run = () => embed()`,
  }
  const use = "import { run } from './other'\ntest('one', () => run())\n"
  expect(await models(use, others)).toEqual(['org/a (feature-extraction)'])
  expect(await models(`vi.mock('@huggingface/transformers')\n${use}`, others)).toEqual([])
  expect(await models(`vi.mock(import('./other'), () => ({ run: vi.fn() }))\n${use}`, others)).toEqual([])
  const all = ['org/a (feature-extraction)']
  expect(await models(`vi.mock('./other', { spy: true })\n${use}`, others)).toEqual(all)
  expect(await models(`vi.mock('./helper', async (real) => ({ ...(await real()), x: 1 }))\n${use}`, others)).toEqual(
    all,
  )
  expect(await models(`jest.mock('./helper', () => ({ ...jest.requireActual('./helper') }))\n${use}`, others)).toEqual(
    all,
  )
  const fake = 'async (real) => ({ ...(await real()), pipeline: vi.fn() })'
  expect(await models(`vi.mock('@huggingface/transformers', ${fake})\n${use}`, others)).toEqual([])
  const local = "import { env } from '@huggingface/transformers'\nenv.localModelPath = '/models'\n"
  expect(await models(local + use, others)).toEqual([])
  expect(await models(use, { ...others, 'helper.ts': `${helper}env.allowRemoteModels = false` })).toEqual([])
})

test('only the tests with a name that was asked for count', async () => {
  const { scan } = await project({
    'a.test.ts': `
      describe('suite', () => {
        test('one', ({ models }) => models.file('org/one', 'a'))
        test('two', ({ models }) => models.file('org/two', 'a'))
        test.for([1])('three %i', (_, { models }) => models.file('org/three', 'a'))
      })
    `,
  })
  const all = (await scan(['a.test.ts'])).get('a.test.ts')
  const some = (await scan(['a.test.ts'], {}, { testNamePattern: 'suite one' })).get('a.test.ts')
  const same = (await scan(['a.test.ts'], {}, { testNamePattern: 'SUITE ONE', testNameFlags: 'gi' })).get('a.test.ts')
  expect(same).toEqual(some)
  expect(all?.models).toHaveLength(3)
  expect(some?.models.map(({ repo }) => repo)).toEqual(['org/one', 'org/three'])
  expect(some?.digest).toBe(all?.digest)
})

test('setup files are read, and modules that only the runner can find', async () => {
  const { root, scan } = await project({
    'src/ids.ts': "export const ID = 'org/alias'",
    'test/a.test.ts': `
      import { ID } from '@/ids'
      import { OTHER } from '#lib'
      import { ROOT } from '/src/root'
      test('one', ({ models }) => [ID, OTHER, ROOT].map((id) => models.file(id, 'a')))
    `,
    'src/root.ts': "export const ROOT = 'org/root'",
    'lib/index.ts': "export const OTHER = 'org/lib'",
    'setup.ts': "beforeAll(() => AutoConfig.from_pretrained('org/setup'))",
  })
  const found = new Map([
    ['@/ids', join(root, 'src/ids.ts')],
    ['#lib', join(root, 'lib')],
    ['/src/root', join(root, 'src/root')],
  ])
  const resolve = async (specifier: string) => found.get(specifier)
  const named = await scan(['test/a.test.ts'], { resolve, setupFiles: [join(root, 'setup.ts')] })
  expect(
    named
      .get('test/a.test.ts')
      ?.models.map(({ repo }) => repo)
      .sort(),
  ).toEqual([...['org/alias', 'org/lib', 'org/root', 'org/setup']])
})

test('a resolver that never answers delays a run for a short time only', async () => {
  const { root } = await project({ 'a.test.ts': "import 'never'\nmodels.file('org/a', 'a')" })
  const options = resolveOptions({ cacheDir: 'cache' }, {}, root)
  const resolve = () => new Promise<string>(() => undefined)
  const queue = { files: ['a.test.ts'], places: () => ({ folders: [root], setupFiles: [], resolve }) }
  expect(await readSources({ root, options, cache: new ModelCache(options) }, queue, 1)).toBeUndefined()
})

test('files that can not be read as code fail nothing, and leave the rest as it is', async () => {
  const { root, write, scan } = await project({
    'bad.test.ts': "import './cycle-a'\ntest('one', ({ models }) => { models.file('org/bad', 'a' ]]] } const = ",
    'binary.test.ts': Buffer.from([0, 1, 2, 3, 255, 0]),
    'huge.test.ts': `const x = '${'y'.repeat(5_000_000)}'\nmodels.file('org/huge', 'a')`,
    'empty.test.ts': '',
    'recovered.test.ts': "const a = 1\nconst a = 2\nmodels.file('org/recovered', 'a')",
    'cycle.test.ts': "import { A } from './cycle-a'\nmodels.file(A, 'a')",
    'cycle-a.ts': "export { B as A } from './cycle-b'\nexport const C = 'org/cycle'",
    'cycle-b.ts': "export { A as B, C } from './cycle-a'\nimport { C as D } from './cycle-a'\nmodels.file(D, 'b')",
    'others.test.js':
      "import './a.vue'\nimport './b.css'\nimport x from './c.wasm?init'\nmodels.file('org/others', 'a')",
    'b.css': '',
    'a.vue': "<script>pipeline('feature-extraction', 'org/vue')</script>",
    'decorated.test.ts':
      "@Component({ a: 1 }) class A { constructor(@Inject('x') private a: B) {} @test accessor b = models.file('org/decorated', 'a') }",
    'standard.test.ts': "export @dec class A {}\nmodels.file('org/standard', 'a')",
    'flow.test.js':
      "/* @flow */\nimport typeof X from './x'\nconst a = (b: ?{| c: any |})\nmodels.file('org/flow', 'a')",
    'view.test.jsx': "render(<A b={models.file('org/jsx', 'a')} />)",
    'view.test.tsx': "const f = <T,>(x: T) => x\nrender(<A<string> b={models.file('org/tsx', 'a')} />)",
    'deep.test.ts': `models.file(${'('.repeat(3000)}'org/deep'${')'.repeat(3000)}, 'a')`,
    'proto.test.ts':
      "const __proto__ = { constructor: 'org/proto' }\nmodels.file(__proto__.constructor, 'a')\nmodels.file(toString, 'a')",
    'C:\\windows.test.ts': "import '.\\\\x'\nmodels.file('org\\\\name', 'a')",
  })
  await write({
    'nested.test.ts': `x = ${'['.repeat(20_000)}\nmodels.file('org/nested', 'a')`,
    'long.test.ts': `models.file('org/long', 'a')\nx = 1${' + 1'.repeat(30_000)}`,
  })
  await symlink('/dev/zero', join(root, 'device.test.ts'))
  await symlink('loop.test.ts', join(root, 'loop.test.ts'))
  await symlink(root, join(root, 'inside'))
  await write({ 'link.test.ts': "import './inside/inside/inside/cycle-b'\nimport './outside'" })
  await symlink('/etc/passwd', join(root, 'outside.ts'))
  const queued = [
    'bad',
    'binary',
    'huge',
    'empty',
    'recovered',
    'cycle',
    'decorated',
    'standard',
    'deep',
    'proto',
    'nested',
    'long',
    'device',
  ]
  const files = [...queued, 'loop', 'link', 'gone'].map((name) => `${name}.test.ts`)
  files.push('others.test.js', 'flow.test.js', 'view.test.jsx', 'view.test.tsx', 'C:\\windows.test.ts')
  const named = await scan(files)
  const found = [...named].map(([file, { models, isWhole }]) => [file, [isWhole, ...models.map(describeModel)]])
  expect(Object.fromEntries(found)).toEqual({
    ...Object.fromEntries(['binary', 'huge', 'deep', 'nested', 'long'].map((name) => [`${name}.test.ts`, [false]])),
    // Of a file with an error of syntax, only the imports are known.
    'bad.test.ts': [false, 'org/cycle (b)'],
    'empty.test.ts': [true],
    'recovered.test.ts': [true, 'org/recovered (a)'],
    // A name that means itself has no value.
    'cycle.test.ts': [false, 'org/cycle (b)'],
    'decorated.test.ts': [true, 'org/decorated (a)'],
    'standard.test.ts': [true, 'org/standard (a)'],
    'flow.test.js': [true, 'org/flow (a)'],
    'proto.test.ts': [false, 'org/proto (a)'],
    'link.test.ts': [true, 'org/cycle (b)'],
    'others.test.js': [true, 'org/others (a)'],
    'view.test.jsx': [true, 'org/jsx (a)'],
    'view.test.tsx': [true, 'org/tsx (a)'],
    'C:\\windows.test.ts': [true],
  })
})

test('a file that was not found is read when it is there, also in a folder behind a link', async () => {
  const { root, write, scan } = await project({
    'a.test.ts': "import { load } from './helper'\ntest('one', () => load('org/a'))\nconst text = `from './never'`",
    'text.test.ts': "const text = `import './never'`\nmodels.file('org/text', 'a')",
  })
  const all = ['a.test.ts', 'text.test.ts']
  const found = async (places?: Partial<ProjectPlaces>) =>
    [...(await scan(all, places)).values()].map(({ models, isWhole }) => [isWhole, ...models.map(({ repo }) => repo)])
  const text = [true, 'org/text']
  expect(await found()).toEqual([[false], text])
  expect(await found()).toEqual([[false], text])
  const helper = "export const load = (id) => models.file(id, 'a')"
  await write({ 'helper.js': helper })
  expect(await found()).toEqual([[true, 'org/a'], text])
  await rm(join(root, 'helper.js'))
  await write({ 'helper.ts': helper })
  expect(await found()).toEqual([[true, 'org/a'], text])
  await rm(join(root, 'helper.ts'))
  expect(await found()).toEqual([[false], text])
  await write({ 'helper.ts': helper })
  await symlink(root, join(root, 'link'))
  expect(await found({ folders: [join(root, 'link')] })).toEqual([[true, 'org/a'], text])
})

test('types are not imported, and what stands after them is', async () => {
  const source = `
    import type Gone from './gone'
    import type { Gone2 } from './gone'
    export type { Gone3 }
    export type Options = { a: number }
    export * from './helper'
    export type * from './gone'
    import typeof Gone4 from './gone'
  `
  const others = { 'helper.ts': "models.file('org/a', 'a')", 'gone.ts': "models.file('org/gone', 'a')" }
  expect(await models(source, others)).toEqual(['org/a (a)'])
  const types = 'export type A = number\n'.repeat(20_000)
  expect(await models(`${types}export * from './helper'`, others)).toEqual(['org/a (a)'])
})

test('a large literal, bundled code and exports in a circle take a short time', async () => {
  const numbers = Array.from({ length: 30_000 }, (_, index) => index)
  const vocabulary = Object.fromEntries(numbers.map((number) => [`token${number}`, number]))
  const stars = (...names: string[]) => names.map((name) => `export * from './${name}'`).join('\n')
  const { scan } = await project({
    'data.test.ts': "import data from './data.json'\nmodels.file('org/data', 'a')\nrun(new Tokenizer(data))",
    'data.json': JSON.stringify({ model: vocabulary, list: numbers }),
    'inline.test.ts': `models.file('org/inline', 'a')\nrun([${numbers.join(',\n')}])\nrun([${"a ? 'b' : 'c',\n".repeat(9_000)}])`,
    'part.test.ts': `const all = { ${"x: 'org/x', ".repeat(300)} }\nmodels.file(all.y, 'a')`,
    // Each value of each name is one of all names.
    'names.test.ts': `${'var a = b(a), b = a ? a : b\n'.repeat(2_000)}models.file('org/names', 'a')\nmodels.file(a, 'a')`,
    'minified.test.ts': "import { load } from './minified'\nmodels.file('org/plain', 'a')",
    'minified.js': `models.file('org/minified', 'a');${'var a=b(a),b=a?a:b;'.repeat(6_000)}`,
    'stars.test.ts': "import { NONE } from './b'\nmodels.file(NONE, 'a')\nmodels.file('org/stars', 'a')",
    'b.ts': `${stars('c', 'd', 'e')}\nconst models = 1`,
    'c.ts': stars('b', 'd', 'e'),
    'd.ts': stars('b', 'c', 'e'),
    'e.ts': stars('b', 'c', 'd'),
  })
  const names = ['data', 'inline', 'part', 'names', 'minified', 'stars']
  const started = process.cpuUsage()
  const named = await scan(names.map((name) => `${name}.test.ts`))
  const { user, system } = process.cpuUsage(started)
  expect([...named.values()].map(({ models, isWhole }) => [isWhole, ...models.map(({ repo }) => repo)])).toEqual([
    [true, 'org/data'],
    [true, 'org/inline'],
    [false],
    [false, 'org/names'],
    [false, 'org/plain'],
    [false, 'org/stars'],
  ])
  // Quadratic work takes minutes, and that of circles hours.
  expect((user + system) / 1e6).toBeLessThan(20)
})

test('only changed files are read again, and what is settled is not even looked for', async () => {
  const { root, write, scan } = await project({
    'a.test.ts': "import { ID } from './ids'\ntest('one', ({ models }) => models.file(ID, 'a'))",
    'b.test.ts': "test('two', ({ models }) => models.file('org/b', 'a'))",
    'none.test.ts': "import './plain'\ntest('three', () => undefined)",
    'ids.ts': "export const ID = 'org/first'",
    'plain.ts': 'export const x = 1',
  })
  const read: string[] = []
  const { readFileSync } = fs
  fs.readFileSync = ((path: string, ...rest: [BufferEncoding]) => {
    if (path.startsWith(root) && /\.ts$/.test(path)) read.push(path.slice(root.length + 1))
    return readFileSync(path, ...rest)
  }) as typeof readFileSync
  syncBuiltinESMExports()
  onTestFinished(() => {
    fs.readFileSync = readFileSync
    syncBuiltinESMExports()
  })
  const repos = async (queued: string[]) => {
    read.length = 0
    const named = await scan(queued)
    return [...named.values()].map(({ models }) => models.map(({ repo }) => repo).join())
  }
  const all = ['a.test.ts', 'b.test.ts', 'none.test.ts']
  expect(await repos(all)).toEqual(['org/first', 'org/b', ''])
  expect(new Set(read)).toEqual(new Set([...all, 'ids.ts', 'plain.ts']))
  expect(await repos(all)).toEqual(['org/first', 'org/b', ''])
  expect(read).toEqual([])
  await write({ 'ids.ts': "export const ID = 'org/second'" })
  expect(await repos(all)).toEqual(['org/second', 'org/b', ''])
  expect(new Set(read)).toEqual(new Set(['ids.ts', 'a.test.ts']))
  await write({ 'plain.ts': "import './more'\nexport const x = 2", 'more.ts': "models.file('org/more', 'a')" })
  expect(await repos(['none.test.ts'])).toEqual(['org/more'])
  expect(new Set(read)).toEqual(new Set(['plain.ts', 'more.ts', 'none.test.ts']))
  await rm(join(root, 'ids.ts'))
  expect(await repos(all)).toEqual(['', 'org/b', 'org/more'])
})
