import { describe, expect, test } from 'vitest'
import { addModels } from '../../src/cli/config/add-models.ts'
import { addPlugin } from '../../src/cli/config/add-plugin.ts'
import { parseSource } from '../../src/cli/config/syntax.ts'
import type { Suggestion } from '../../src/cli/suggest/used-models.ts'
import { parseRepoId } from '../../src/model/repo-id.ts'

const DEFINE = "import { defineConfig } from 'vitest/config'\n"
const IMPORT = "import { modelCache } from 'vitest-model-cache'\n"

async function withPlugin(source: string): Promise<string | undefined> {
  const program = await parseSource(source)
  if (!program) throw new Error(`It can't be parsed: ${source}`)
  return addPlugin(source, program)
}

async function withModels(options: string, suggestions: Suggestion[]): Promise<string | undefined> {
  const source = `export default { plugins: [modelCache(${options})] }`
  const program = await parseSource(source)
  const after = program && addModels(source, program, suggestions)
  return after?.slice(source.indexOf('modelCache(') + 11, -4)
}

describe('modelCache() is added to', () => {
  test.each([
    [
      'an object',
      'export default defineConfig({\n  test: {},\n})',
      'export default defineConfig({\n  plugins: [modelCache()],\n  test: {},\n})',
    ],
    [
      'an object on one line',
      'export default defineConfig({ test: {} })',
      'export default defineConfig({ plugins: [modelCache()], test: {} })',
    ],
    ['an empty object', 'export default defineConfig({})', 'export default defineConfig({ plugins: [modelCache()] })'],
    [
      'plugins on one line',
      'export default defineConfig({ plugins: [vue()] })',
      'export default defineConfig({ plugins: [modelCache(), vue()] })',
    ],
    [
      'no plugins',
      'export default defineConfig({ plugins: [ ] })',
      'export default defineConfig({ plugins: [modelCache()] })',
    ],
    [
      'plugins with comments',
      'export default defineConfig({\n  plugins: [\n    // ours\n    vue(), // keep\n  ],\n})',
      'export default defineConfig({\n  plugins: [\n    modelCache(),\n    // ours\n    vue(), // keep\n  ],\n})',
    ],
    [
      'a function',
      'export default defineConfig(() => ({ test: {} }))',
      'export default defineConfig(() => ({ plugins: [modelCache()], test: {} }))',
    ],
    [
      'a function with a body',
      'export default defineConfig(async ({ mode }) => {\n  const a = mode\n  return { test: { a } }\n})',
      'export default defineConfig(async ({ mode }) => {\n  const a = mode\n  return { plugins: [modelCache()], test: { a } }\n})',
    ],
    [
      'the last of merged configs',
      'export default mergeConfig(base, { test: {} })',
      'export default mergeConfig(base, { plugins: [modelCache()], test: {} })',
    ],
    [
      'a constant',
      'const config = { test: {} } as const\nexport default config',
      'const config = { plugins: [modelCache()], test: {} } as const\nexport default config',
    ],
    [
      'a typed object',
      'export default { test: {} } satisfies UserConfig',
      'export default { plugins: [modelCache()], test: {} } satisfies UserConfig',
    ],
    [
      'CRLF lines',
      'export default defineConfig({\r\n\ttest: {},\r\n})',
      'export default defineConfig({\r\n\tplugins: [modelCache()],\r\n\ttest: {},\r\n})',
    ],
  ])('%s', async (_, before, after) => {
    const line = before.includes('\r') ? IMPORT.replace('\n', '\r\n') : IMPORT
    const define = before.includes('\r') ? DEFINE.replace('\n', '\r\n') : DEFINE
    expect(await withPlugin(define + before)).toBe(define + line + after)
  })

  test('a CommonJS config, and with the quotes and the semicolons of the file', async () => {
    expect(await withPlugin("'use strict'\nmodule.exports = { test: {} }\n")).toBe(
      "'use strict'\nconst { modelCache } = require('vitest-model-cache')\nmodule.exports = { plugins: [modelCache()], test: {} }\n",
    )
    expect(await withPlugin('import { x } from "x";\n\nexport default { test: x };\n')).toBe(
      'import { x } from "x";\nimport { modelCache } from "vitest-model-cache";\n\nexport default { plugins: [modelCache()], test: x };\n',
    )
    expect(await withPlugin('/// <reference types="vitest/config" />\n// mine\nexport default {}\n')).toBe(
      `/// <reference types="vitest/config" />\n${IMPORT}// mine\nexport default { plugins: [modelCache()] }\n`,
    )
  })
})

test.each([
  'export default defineConfig({ ...base, test: {} })',
  'export default defineConfig({ plugins: [a].filter(Boolean) })',
  'export default defineConfig({ plugins })',
  'export default defineConfig(() => { if (ci) return {}; return { test: {} } })',
  'export default make({ test: {} })',
  'export default defineConfig({ [plugins]: [], ...x })',
  'const modelCache = 1\nexport default { test: {} }',
  'export const config = {}',
])('a config of unusual shape is left alone: %s', async (source) => {
  expect(await withPlugin(source)).toBeUndefined()
})

describe('models are declared', () => {
  const q8: Suggestion = {
    repo: parseRepoId('org/a'),
    revision: 'main',
    fields: { task: 'feature-extraction', dtype: 'q8' },
  }
  const plain: Suggestion = { repo: parseRepoId('org/b'), revision: 'v1', fields: {} }
  const Q8 = "{ repo: 'org/a', task: 'feature-extraction', dtype: 'q8' }"

  test.each([
    ['', [plain], "{ models: ['org/b@v1'] }"],
    ["{ maxSize: '1GB' }", [plain], "{ models: ['org/b@v1'], maxSize: '1GB' }"],
    ["{ models: ['org/c', ...more] }", [plain], "{ models: ['org/b@v1', 'org/c', ...more] }"],
    // A name alone gets what was used; what was written on purpose stays.
    ["{ models: ['org/a', 'org/b@v1'] }", [q8, plain], `{ models: [\n  ${Q8},\n  'org/b@v1',\n] }`],
    ["{ models: ['org/a', /* mine */ 'org/b@v1'] }", [q8, plain], `{ models: [${Q8}, /* mine */ 'org/b@v1'] }`],
    ["{ models: [{ repo: 'org/a', pin: true }] }", [q8], `{ models: [\n  ${Q8.replace(' }', ', pin: true }')},\n] }`],
    [
      "{ models: [\n{ repo: 'org/a', dtype: 'fp16' }] }",
      [q8],
      `{ models: [\n${Q8},\n{ repo: 'org/a', dtype: 'fp16' }] }`,
    ],
    [`{ models: [${Q8}] }`, [q8], `{ models: [${Q8}] }`],
  ])('in %s', async (options, suggestions, after) => {
    expect(await withModels(options, suggestions)).toBe(after)
    expect(await withModels(after, suggestions)).toBe(after)
  })

  test.each(['options', '{ ...shared }', '{ models: list() }'])(
    'not in options of unusual shape: %s',
    async (options) => {
      expect(await withModels(options, [plain])).toBeUndefined()
    },
  )
})
