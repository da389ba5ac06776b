import type { Context } from 'node:vm'

// The parts of Jest's own types that are used. Jest 29.7 and 30 have them, under different names and in different packages.

/** The config of one project, as Jest resolved it. */
export interface ProjectConfig {
  /** Different for each project of a run. */
  id: string
  rootDir: string
  globalSetup?: string | null
  globalTeardown?: string | null
  testEnvironmentOptions: Record<string, unknown>
}

/** The config of a run, as Jest resolved it. Some fields exist in one version only. */
export interface GlobalConfig {
  rootDir: string
  globalTeardown?: string | null
  testSequencer?: string
  maxWorkers: number
  /** The number of failed tests after which Jest ends. 0: it does not. */
  bail: number
  watch?: boolean
  watchAll?: boolean
  projects: unknown[]
  reporters?: [path: string, options: unknown][]
  testNamePattern?: string
  testPathPattern?: string
  testPathPatterns?: { patterns?: string[] }
  runTestsByPath?: boolean
  nonFlagArgs?: string[]
  shard?: object
  onlyChanged?: boolean
  onlyFailures?: boolean
  findRelatedTests?: boolean
}

export interface EnvironmentConfig {
  globalConfig: GlobalConfig
  projectConfig: ProjectConfig
}

export interface EnvironmentContext {
  /** The absolute path of the test file. */
  testPath: string
}

/** A test environment. Each test file has an instance of its own. */
export interface Environment {
  global: typeof globalThis
  setup(): Promise<void>
  teardown(): Promise<void>
  getVmContext(): Context | null
  handleTestEvent?(event: TestEvent, state: TestState): void | Promise<void>
}

export type EnvironmentClass = new (config: EnvironmentConfig, context: EnvironmentContext) => Environment

/** A test of jest-circus. */
export interface CircusTest {
  name: string
  parent: DescribeBlock
  errors: ErrorEntry[]
}

export interface DescribeBlock {
  name: string
  parent?: DescribeBlock
  children: ((DescribeBlock & { type: 'describeBlock' }) | (CircusTest & { type: 'test' }))[]
}

/** An error that was thrown, with an error that has the stack of the test. */
export type ErrorEntry = unknown | [error: unknown, asyncError: unknown]

/** An event of jest-circus. */
export interface TestEvent {
  name: string
  test?: CircusTest
  describeBlock?: DescribeBlock
  error?: unknown
}

export interface TestState {
  unhandledErrors: ErrorEntry[]
}

/** A test file that will run. */
export interface QueuedTest {
  /** Absolute. */
  path: string
  context: { config: ProjectConfig }
}

/** The results of all test files. */
export interface RunResults {
  /** `start`: on the clock of `Date`. `runtime`: milliseconds. */
  testResults: { testFilePath: string; perfStats: { start: number; runtime: number } }[]
}

/** The result of one test file. */
export interface TestFileResult {
  testFilePath: string
  failureMessage?: string | null
  testExecError?: { message?: string } | null
  testResults: { fullName: string; status: string; failureMessages: string[] }[]
}
