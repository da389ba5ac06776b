import { findJest, type InstalledJest } from './find-jest.ts'

/** A project of a Jest config, as Jest resolves it. */
export interface JestProject {
  id: string
  rootDir: string
  displayName?: { name: string }
  /** The path of the environment's module. */
  testEnvironment: string
  /** Our options are in `modelCache`. */
  testEnvironmentOptions: Record<string, unknown>
  testRunner: string
  globalSetup?: string | null
  /** Empty if nothing is compiled. */
  transform: unknown[]
  extensionsToTreatAsEsm: string[]
}

/** What Jest takes from the root config only. */
export interface JestGlobals {
  rootDir: string
  /** Names or paths of reporters, with their options. Undefined if the config states none. */
  reporters?: [name: string, options: unknown][]
  globalSetup?: string | null
}

export interface ResolvedJestConfig {
  globalConfig: JestGlobals
  /** At least one. A root config with `projects` is none of them, unless it names itself. */
  configs: JestProject[]
}

/** The arguments of Jest's command line, parsed. */
type Arguments = Partial<Record<'projects' | 'selectProjects' | 'ignoreProjects', string[]>> & Record<string, unknown>

interface JestConfigPackage {
  readConfigs(argv: Arguments, projects: unknown[]): Promise<ResolvedJestConfig>
}

interface JestCliPackage {
  yargsOptions: object
}

interface Parser {
  options(options: object): Parser
  help(on: boolean): Parser
  version(on: boolean): Parser
  exitProcess(on: boolean): Parser
  argv: Arguments | Promise<Arguments>
}

/**
 * Has the project's own Jest read its config and those of its `projects`, as `jest <args>` in the folder `root` does: so each project has
 * the id that it has in the run. `projects` are read in place of those of the config in `root`. Undefined if the project has no Jest.
 * Throws what Jest throws for a wrong config.
 */
export async function readJestProjects(
  root: string,
  args: string[] = [],
  projects?: unknown[],
): Promise<ResolvedJestConfig | undefined> {
  const jest = findJest(root)
  if (!jest) return undefined
  const { readConfigs } = jest.load<JestConfigPackage>('jest-config', '@jest/core')
  const argv = args.length > 0 ? await parse(jest, args) : { _: [], $0: '' }
  const given = projects ?? (argv.projects?.length ? argv.projects : [root])
  const read = await withoutAdvice(() => readConfigs(argv, given))
  return { ...read, configs: read.configs.filter(({ displayName }) => isSelected(argv, displayName?.name)) }
}

/** False for a project that `--selectProjects` or `--ignoreProjects` leaves out. */
function isSelected({ selectProjects, ignoreProjects }: Arguments, name = ''): boolean {
  return (selectProjects?.includes(name) ?? true) && !ignoreProjects?.includes(name)
}

async function parse(jest: InstalledJest, args: string[]): Promise<Arguments> {
  const { yargsOptions } = jest.load<JestCliPackage>('jest-cli')
  const yargs = jest.load<(args: string[]) => Parser>('yargs', 'jest-cli')
  return yargs(args).options(yargsOptions).help(false).version(false).exitProcess(false).argv
}

/** Jest warns of settings that it does not know. The run of the tests prints these warnings too. */
async function withoutAdvice<T>(read: () => Promise<T>): Promise<T> {
  const { console } = globalThis
  const { warn } = console
  Reflect.set(console, 'warn', () => undefined)
  try {
    return await read()
  } finally {
    Reflect.set(console, 'warn', warn)
  }
}
