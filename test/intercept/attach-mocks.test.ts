import { createRequire } from 'node:module'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest'

const attach: typeof import('../../src/intercept/attach-mocks.cts') = createRequire(import.meta.url)(
  join(inject('packedPackage'), 'dist/intercept/attach-mocks.cjs'),
)

const BRIDGE = Symbol.for('vitest-model-cache.intercept')
const mocks = {
  pipeline: (_library: object, _original: unknown, args: unknown[]) => ['mock pipeline', ...args],
  pretrained: (_library: object, asked: { name: string }, args: unknown[]) => [`mock of ${asked.name}`, ...args],
}
const refuse = async (asked: string) => {
  throw new Error(`refused: ${asked}`)
}

beforeEach(() => void Reflect.set(process, BRIDGE, { mocks: async () => mocks, refuse }))
afterEach(() => void Reflect.deleteProperty(process, BRIDGE))

// The parts of transformers.js that the mocks rely on, as its builds write them.
const CODE = `
class Base { static async from_pretrained(id) { return ['real', id] } }
class AutoModel extends Base {}
class Own extends Base { static async from_pretrained(id) { return super.from_pretrained(id) } }
async function getModelFile(path_or_repo_id, filename, fatal = true, options = {}) { return 'read' }
async function pipeline(task) { return getModelFile(task, 'config.json') }
`
const SHAPES: Record<string, string> = {
  'the ES module of version 4': `${CODE}\nexport {\n  AutoModel,\n  Own as Renamed,\n  getModelFile as read,\n  pipeline\n};\n/*! licence */`,
  'the CommonJS of version 4': `${CODE}
    module.exports = {}
    const named = { AutoModel: () => AutoModel, Renamed: () => Own, read: () => getModelFile, pipeline: () => pipeline }
    for (const [name, get] of Object.entries(named)) Object.defineProperty(module.exports, name, { get, enumerable: true })`,
  'the ES module of version 3': `var made = {};
    (() => { ${CODE}; Object.assign(made, { AutoModel, Own, getModelFile, pipeline }) })();
    var __webpack_exports__pipeline = made.pipeline; var e1 = made.AutoModel; var e2 = made.Own; var e3 = made.getModelFile;
export { __webpack_exports__pipeline as pipeline, e1 as AutoModel, e2 as Renamed, e3 as read };`,
  'the CommonJS of version 3': `(() => { ${CODE}
    var __webpack_export_target__ = exports;
    Object.assign(__webpack_export_target__, { AutoModel, Renamed: Own, read: getModelFile, pipeline }) })()`,
}

/** Evaluates a source, and returns its exports. */
async function run(source: string) {
  if (/^export \{/m.test(source)) return import(`data:text/javascript,${encodeURIComponent(source)}`)
  const module = { exports: {} }
  new Function('module', 'exports', source)(module, module.exports)
  return Object(module.exports)
}

describe.each(Object.entries(SHAPES))('%s', (_, source) => {
  test('returns mocks in unit mode, and refuses to read a file', async () => {
    const { AutoModel, Renamed, pipeline, read } = await run(attach.withMocks(source))
    expect(await pipeline('summarization', 'org/x')).toEqual(['mock pipeline', 'summarization', 'org/x'])
    expect(await AutoModel.from_pretrained('org/x')).toEqual(['mock of AutoModel', 'org/x'])
    expect(await Renamed.from_pretrained('org/x')).toEqual(['mock of Own', 'org/x'])
    await expect(read('org/x', 'config.json')).rejects.toThrow('refused: config.json of org/x')
  })

  test('works as it did when the mode is not unit', async () => {
    const { AutoModel, pipeline } = await run(attach.withMocks(source))
    Reflect.deleteProperty(process, BRIDGE)
    expect(await pipeline('summarization')).toBe('read')
    expect(await AutoModel.from_pretrained('org/x')).toEqual(['real', 'org/x'])
  })
})

test('a source without a pipeline export only refuses to read a file', async () => {
  const source = CODE.replaceAll('pipeline', 'other')
  const { read } = await run(attach.withMocks(`${source}\nexport { getModelFile as read, other };`))
  await expect(read('org/x', 'config.json')).rejects.toThrow('refused')
})
