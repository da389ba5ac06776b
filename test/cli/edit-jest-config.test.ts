import { expect, test } from 'vitest'
import { addJestModels, addJestModelsToJson } from '../../src/cli/config/add-jest-models.ts'
import { parseJsonObject } from '../../src/cli/config/json-source.ts'
import { type Node, parseSource } from '../../src/cli/config/syntax.ts'
import { addPreset, wrapJest } from '../../src/cli/config/wrap-jest.ts'
import type { Suggestion } from '../../src/cli/suggest/used-models.ts'
import { parseRepoId } from '../../src/model/repo-id.ts'

const IMPORT = "import { withModelCache } from 'vitest-model-cache/jest'"
const REQUIRE = "const { withModelCache } = require('vitest-model-cache/jest')"

async function parsed(source: string): Promise<Node> {
  const program = await parseSource(source)
  if (!program) throw new Error(`It can't be parsed: ${source}`)
  return program
}

test.each([
  ['export default { verbose: true }', `${IMPORT}\nexport default withModelCache({ verbose: true })`],
  [
    "import type { Config } from 'jest';\n\nconst config: Config = {};\n\nexport default config;\n",
    `import type { Config } from 'jest';\n${IMPORT};\n\nconst config: Config = {};\n\nexport default withModelCache(config);\n`,
  ],
  ['export default async () => ({})', `${IMPORT}\nexport default withModelCache(async () => ({}))`],
  [
    "const next = require('next/jest');\r\nmodule.exports = next()({});\r\n",
    `const next = require('next/jest');\r\n${REQUIRE};\r\nmodule.exports = withModelCache(next()({}));\r\n`,
  ],
  [
    '/** @type {import("jest").Config} */\nmodule.exports = {};',
    `${REQUIRE};\n/** @type {import("jest").Config} */\nmodule.exports = withModelCache({});`,
  ],
  ['const { withModelCache } = other\nmodule.exports = {}', undefined],
  ['exports.verbose = true', undefined],
])('withModelCache() is put around the config: %s', async (before, after) => {
  expect(wrapJest(before, await parsed(before))).toBe(after)
})

test('JSON gets the preset, unless a setting of its own would replace it', async () => {
  const add = async (json: string, key?: 'jest') => addPreset(json, (await parseJsonObject(json)) ?? expect.fail(), key)
  expect(await add('{\n  "name": "a",\n  "jest": {\n    "verbose": true\n  }\n}\n', 'jest')).toBe(
    '{\n  "name": "a",\n  "jest": {\n    "preset": "vitest-model-cache/jest",\n    "verbose": true\n  }\n}\n',
  )
  expect(await add('{}')).toBe('{ "preset": "vitest-model-cache/jest" }')
  for (const own of ['"preset": "ts-jest"', '"reporters": []', '"globalSetup": "./a.js"'])
    expect(await add(`{ ${own} }`)).toBeUndefined()
})

const q8: Suggestion = { repo: parseRepoId('org/a'), revision: 'main', fields: { dtype: 'q8' } }

test.each([
  ['withModelCache({})', "withModelCache({ modelCache: { models: [{ repo: 'org/a', dtype: 'q8' }] } })"],
  [
    "withModelCache({\n  modelCache: { models: ['org/a'] },\n  ...config,\n})",
    "withModelCache({\n  modelCache: { models: [{ repo: 'org/a', dtype: 'q8' }] },\n  ...config,\n})",
  ],
  [
    'withModelCache(async () => ({ verbose: true }))',
    "withModelCache(async () => ({ modelCache: { models: [{ repo: 'org/a', dtype: 'q8' }] }, verbose: true }))",
  ],
  // The type of the constant may be that of Jest.
  ['withModelCache(config)', "withModelCache({ ...config, modelCache: { models: [{ repo: 'org/a', dtype: 'q8' }] } })"],
  [
    "{ preset: 'vitest-model-cache/jest' }",
    "{ testEnvironmentOptions: { modelCache: { models: [{ repo: 'org/a', dtype: 'q8' }] } }, preset: 'vitest-model-cache/jest' }",
  ],
  ['withModelCache(make())', undefined],
])('models are declared in %s', async (before, after) => {
  const source = (config: string) => `const config: Config = {}\nexport default ${config}`
  const edit = async (config: string) => addJestModels(source(config), await parsed(source(config)), [q8])
  expect(await edit(before)).toBe(after && source(after))
  if (after) expect(await edit(after)).toBe(source(after))
})

test('models are declared in JSON', async () => {
  const before = '{\n  "jest": {\n    "testEnvironmentOptions": { "a": 1 },\n    "preset": "x"\n  }\n}\n'
  const edit = async (json: string) =>
    addJestModelsToJson(json, (await parseJsonObject(json)) ?? expect.fail(), [q8], 'jest')
  const after = await edit(before)
  expect(after).toBe(before.replace('"a"', '"modelCache": { "models": [{ "repo": "org/a", "dtype": "q8" }] }, "a"'))
  expect(await edit(after ?? '')).toBe(after)
})
