import { findJest } from '../../config/jest/find-jest.ts'
import type { Options } from '../../config/options.ts'
import { chooseRunner } from '../config/choose-runner.ts'
import { readJestConfig } from '../config/read-jest.ts'
import { readVitestConfig } from '../config/read-vitest.ts'
import { installCommand } from '../init/install-command.ts'
import { type Check, fail } from './check.ts'
import { checkDocblocks } from './docblocks.ts'
import { checkJest, checkJestConfig, checkJestHooks } from './jest.ts'
import { checkConfig, checkVitest, findInstalled } from './project.ts'
import { checkProjects, withProjects } from './projects.ts'

/** What the checks of the test runners and their configs found. */
interface Runners {
  checks: Check[]
  /** The roots of projects. */
  roots: string[]
  /** The options of the configs and of the projects. */
  options: Options[]
  /** True if the first options are of Vitest. */
  isOfVitest: boolean
}

/** Checks the test runners that are installed, and their configs. A config of one runner is enough. */
export async function checkRunners(from: string): Promise<Runners> {
  const [vitest, jest] = [await checkedVitest(from), await checkedJest(from)]
  const isOfVitest = vitest.options.length > 0
  const [used, unused] = isOfVitest || jest.options.length === 0 ? [vitest, jest] : [jest, vitest]
  const isAll = used.options.length === 0 || unused.options.length > 0
  // Nobody has to set up the other runner, or to correct its config.
  const others = isAll ? unused.checks : unused.checks.filter(({ level }) => level === 'fail').map(asWarning)
  const checks = [...used.checks, ...others]
  if (checks.length === 0)
    checks.push(
      fail(
        'runner',
        'neither Vitest nor Jest is installed here',
        `Run \`${installCommand(from, [chooseRunner(from, {})])}\`.`,
      ),
    )
  return { checks, roots: [...vitest.roots, ...jest.roots], options: [...vitest.options, ...jest.options], isOfVitest }
}

function asWarning(check: Check): Check {
  return { ...check, level: 'warn' }
}

type Checked = Omit<Runners, 'isOfVitest'>

const NOT_INSTALLED: Checked = { checks: [], roots: [], options: [] }

async function checkedVitest(from: string): Promise<Checked> {
  const found = findInstalled('vitest', from)
  if (!found) return NOT_INSTALLED
  const config = await readVitestConfig()
    .then(withProjects)
    .catch((error: unknown) => ({ error }))
  const checks = [checkVitest(found), checkConfig(config, from)]
  if ('error' in config) return { ...NOT_INSTALLED, checks }
  if (config.projects.length > 0) checks.push(checkProjects(config, from))
  const options = [config, ...config.projects].flatMap(({ options }) => options ?? [])
  return { checks, options, roots: config.projects.map(({ root }) => root) }
}

async function checkedJest(from: string): Promise<Checked> {
  const found = findJest(from)
  if (!found) return NOT_INSTALLED
  const config = await readJestConfig().catch((error: unknown) => ({ error }))
  const checks = [checkJest(found), checkJestConfig(config, from)]
  if (!config || 'error' in config) return { ...NOT_INSTALLED, checks }
  const { options } = config
  if (options.length > 0) checks.push(...checkJestHooks(config, from), ...(await checkDocblocks(found, from)))
  return { checks, options, roots: config.projects.map(({ root }) => root) }
}
