import { defineConfig } from 'vitest/config'
import { modelCache } from 'vitest-model-cache'
import { MODEL } from './test/model.ts'

export default defineConfig({
  plugins: [modelCache({ models: [MODEL], report: { outputFile: 'model-cache-report.json' } })],
  // Loading a model takes longer than the 5 s of Vitest on a busy machine.
  test: { testTimeout: 30_000 },
})
