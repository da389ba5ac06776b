import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    // Nested runs start whole Vitest processes, each with workers of its own. On a machine that is busy with other work each can
    // take a minute: the time limits are for what never ends.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    // Twice the cores of the usual machine: many tests wait for servers, locks and limits most of their time.
    maxWorkers: 4,
  },
})
