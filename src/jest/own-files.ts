import { fileURLToPath } from 'node:url'

// Jest loads these files by their paths. They end in `.mjs`: Jest would pass others to the transforms of the user.
export const GLOBAL_SETUP = ownFile('global-setup')
export const GLOBAL_TEARDOWN = ownFile('global-teardown')
export const REPORTER = ownFile('reporter')
export const TEST_RUNNER = ownFile('test-runner')
export const TEST_SEQUENCER = ownFile('test-sequencer')
export const NODE_ENVIRONMENT = ownFile('environments/node')
export const JSDOM_ENVIRONMENT = ownFile('environments/jsdom')

function ownFile(name: string): string {
  return fileURLToPath(new URL(`./${name}.mjs`, import.meta.url))
}
