import type { ModelCacheOptions } from '../../../src/config/options.ts'
import { asCommonJs, type Kind, TOOLCHAINS } from './kinds.ts'

interface JestSuite {
  /** Default `cjs`. */
  kind?: Kind
  /** The options of this package. */
  options?: ModelCacheOptions
  /** What is added to Jest's config. */
  config?: Record<string, unknown>
  /** The sources of test files, with `import`, by name without extension. */
  tests?: Record<string, string>
}

/** The files of a user's project with Jest. Its config is `jest.config.mjs`, and `plain.config.mjs` without this package. */
export function jestFiles({ kind = 'cjs', options = {}, config = {}, tests = {} }: JestSuite): Record<string, string> {
  const { type, extension, config: own, files } = TOOLCHAINS[kind]
  const compile = kind === 'cjs' ? asCommonJs : (source: string) => source
  const jestConfig = { testTimeout: 200_000, ...own, ...config }
  const modelCache = { ...options, report: options.report ?? { outputFile: 'report.json' } }
  const sources = Object.entries(tests).map(([name, source]) => [`${name}.test.${extension}`, compile(source)])
  return {
    'package.json': JSON.stringify({ private: true, type }),
    'jest.config.mjs': `
      import { withModelCache } from 'vitest-model-cache/jest'
      export default withModelCache(${JSON.stringify({ ...jestConfig, modelCache })})
    `,
    'plain.config.mjs': `export default ${JSON.stringify(jestConfig)}`,
    ...files,
    ...Object.fromEntries(sources),
  }
}
