import process from 'node:process'
import { runInContext } from 'node:vm'
import { CHAIN, OPTIONS } from '../config/jest/option-keys.ts'
import { isServed } from './file/give-models.ts'
import { noteEvent } from './file/note-event.ts'
import { type ServedFile, serveFile } from './file/serve-file.ts'
import { loadOfJest } from './load-of-jest.ts'
import type { Environment, GlobalConfig, ProjectConfig } from './types.ts'

type TestRunner = (
  globalConfig: GlobalConfig,
  config: ProjectConfig,
  environment: Environment,
  ...rest: [unknown, string, unknown]
) => Promise<unknown>

/**
 * Runs a test file with Jest's own test runner. If its environment is not one of ours (a class of the user, or one that a docblock names),
 * the models are given to it here.
 */
const run: TestRunner = async (globalConfig, config, environment, runtime, testFile, send) => {
  const found = loadOfJest(config.rootDir, 'jest-circus/runner', '@jest/core', 'jest-config')
  const circus: TestRunner = Reflect.get(Object(found), 'default') ?? found
  const start = () => circus(globalConfig, config, environment, runtime, testFile, send)
  // Without `await`, the stacks of the tests' errors have no line of this file.
  if (isServed(environment.global)) return start()
  const late = await serveLate(globalConfig, config, environment, testFile)
  return start().finally(() => late?.end())
}

async function serveLate(
  globalConfig: GlobalConfig,
  projectConfig: ProjectConfig,
  environment: Environment,
  testFile: string,
): Promise<ServedFile | undefined> {
  const before = { ...process.env }
  const served = serveFile({ globalConfig, projectConfig }, testFile)
  if (!served) return undefined
  // The environment has copied the variables before.
  const { env } = environment.global.process
  for (const [name, value] of Object.entries(process.env)) if (before[name] !== value) env[name] = value
  const context = environment.getVmContext()
  // Jest's environment `node` copies its options to the global object.
  for (const name of [OPTIONS, CHAIN])
    if (Reflect.get(environment.global, name) === projectConfig.testEnvironmentOptions[name])
      Reflect.deleteProperty(environment.global, name)
  // In happy-dom, a symbol that the code of the context sets on its global object is not on `environment.global`.
  served.giveTo(environment.global, context ? runInContext('globalThis', context) : undefined)
  const handle = environment.handleTestEvent?.bind(environment)
  environment.handleTestEvent = async (event, state) => {
    await handle?.(event, state)
    noteEvent(served.worker, event, state)
  }
  await served.begins()
  return served
}

export default run
