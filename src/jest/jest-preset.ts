import { GLOBAL_SETUP, GLOBAL_TEARDOWN, NODE_ENVIRONMENT, REPORTER, TEST_RUNNER, TEST_SEQUENCER } from './own-files.ts'

/** For `preset: 'vitest-model-cache/jest'`. The options are in `testEnvironmentOptions.modelCache`. */
export default {
  globalSetup: GLOBAL_SETUP,
  globalTeardown: GLOBAL_TEARDOWN,
  testEnvironment: NODE_ENVIRONMENT,
  testRunner: TEST_RUNNER,
  testSequencer: TEST_SEQUENCER,
  reporters: ['default', REPORTER],
}
