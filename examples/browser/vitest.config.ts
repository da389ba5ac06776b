import { playwright } from '@vitest/browser-playwright'
import { defineConfig } from 'vitest/config'
import { modelCache } from 'vitest-model-cache'
import { MODEL } from './src/search-list.ts'

export default defineConfig({
  plugins: [
    modelCache({
      // In a browser transformers.js takes the q8 weights where nothing else is said.
      models: [{ repo: MODEL, task: 'feature-extraction', dtype: 'q8' }],
      report: { outputFile: 'model-cache-report.json' },
    }),
  ],
  test: {
    testTimeout: 60_000,
    browser: {
      enabled: true,
      headless: true,
      // Without CHROMIUM_PATH the one that `npx playwright install chromium` brought.
      provider: playwright({ launchOptions: { executablePath: process.env.CHROMIUM_PATH } }),
      instances: [{ browser: 'chromium' }],
    },
  },
})
