import type { ModelCacheOptions } from '../../src/config/options.ts'

/** The source of a `vitest.config.ts` with the plugin. `test` is source text that is added to its `test` options. */
export function configSource(options: ModelCacheOptions = {}, test = ''): string {
  const given = { ...options, report: options.report ?? { outputFile: 'report.json' } }
  return `
    import { defineConfig } from 'vitest/config'
    import { modelCache } from 'vitest-model-cache'
    export default defineConfig({
      plugins: [modelCache(${JSON.stringify(given)})],
      // Each test may take long on a machine that is busy with other tests.
      test: { maxWorkers: 4, testTimeout: 200_000, hookTimeout: 200_000, ${test} },
    })
  `
}
