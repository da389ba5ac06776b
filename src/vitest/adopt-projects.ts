import process from 'node:process'
import type { TestProject, TestSpecification, Vitest } from 'vitest/node'
import type { Options } from '../config/options.ts'
import { leftToRoot } from '../config/root-plugin.ts'
import type { Session } from '../run/session.ts'
import { addTestProject } from './add-project.ts'
import ModelCacheReporter from './reporter.ts'
import { openSession } from './session.ts'
import { wireProject } from './wire-project.ts'

/**
 * Gives the plugin of the root config to the projects that have no plugin of their own, and returns those projects. Projects with a
 * config of their own inherit nothing from the root, and Vitest calls only the hooks of Vite on the root's plugin.
 */
export async function adoptProjects(root: TestProject, options: Options): Promise<TestProject[]> {
  const { vitest } = root
  const session = openSession(vitest)
  const states = vitest.projects.map((project) => ({
    ...{ project, configFile: project.vite.config.configFile },
    ...{ hasPlugin: session.projects.has(project), isBrowser: project.isBrowserEnabled() },
  }))
  const { served, inBrowsers } = leftToRoot(root.vite.config.configFile, states)
  if (inBrowsers.length > 0) session.output.note(cannotServe(inBrowsers.map(({ project }) => project)))
  const adopted = served.map(({ project }) => project)
  if (adopted.length > 0) await addReporter(vitest, session)
  for (const project of adopted) {
    addTestProject(session, project, options)
    wireProject(project, options)
  }
  return adopted
}

/** Vitest makes the servers of browsers before the global setup, so the plugin can't be added to them here. */
function cannotServe(projects: TestProject[]): string {
  const names = projects.map(({ name, config }) => name || config.root).join(', ')
  return `The plugin of the root config does not reach projects that run in a browser: ${names}. Add modelCache() to their configs, or use \`extends: true\`.`
}

/**
 * Vitest made its reporters before the global setup, and has called their first hooks. A Vitest that keeps the reporters elsewhere
 * gets no reporter of ours.
 */
async function addReporter(vitest: Vitest, session: Session): Promise<void> {
  const reporters: unknown = Reflect.get(vitest, 'reporters')
  if (session.hasReporter || !Array.isArray(reporters)) return
  const reporter = new ModelCacheReporter()
  reporter.onInit(vitest)
  // `vitest list` calls the global setup too, and runs no test. No hook says so: only the command line does.
  if (process.argv[2] !== 'list') await reporter.onTestRunStart(specificationsOf(vitest))
  reporters.push(reporter)
}

/** The test files of the run that has begun. */
function specificationsOf(vitest: Vitest): TestSpecification[] {
  return vitest.state.getPaths().flatMap((path) => vitest.getModuleSpecifications(path))
}
