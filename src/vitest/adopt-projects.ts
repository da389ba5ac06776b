import process from 'node:process'
import type { TestProject, Vitest } from 'vitest/node'
import type { Options } from '../config/options.ts'
import { leftToRoot } from '../config/root-plugin.ts'
import { openSession, type Session, setUpProject } from '../run/session.ts'
import ModelCacheReporter from './reporter.ts'
import { wireProject } from './wire-project.ts'

/**
 * Gives the plugin of the root config to the projects that have none of their own, and gives those back. Vitest calls no hook of
 * such a plugin but those of Vite: projects with a config of their own inherit nothing from the root.
 */
export function adoptProjects(root: TestProject, options: Options): TestProject[] {
  const { vitest } = root
  const session = openSession(vitest)
  const states = vitest.projects.map((project) => ({
    ...{ project, configFile: project.vite.config.configFile },
    ...{ hasPlugin: session.projects.has(project), isBrowser: project.isBrowserEnabled() },
  }))
  const { served, inBrowsers } = leftToRoot(root.vite.config.configFile, states)
  if (inBrowsers.length > 0) session.output.note(cannotServe(inBrowsers.map(({ project }) => project)))
  const adopted = served.map(({ project }) => project)
  if (adopted.length > 0) addReporter(vitest, session)
  for (const project of adopted) {
    setUpProject(session, project, options)
    wireProject(project, options)
  }
  return adopted
}

/** The servers of browsers were made before the tests began. */
function cannotServe(projects: TestProject[]): string {
  const names = projects.map(({ name, config }) => name || config.root).join(', ')
  return `The plugin of the root config does not reach projects that run in a browser: ${names}. Add modelCache() to their configs, or use \`extends: true\`.`
}

/** Vitest has made its reporters already, and told them of the run. One that keeps them elsewhere shows no report. */
function addReporter(vitest: Vitest, session: Session): void {
  const reporters: unknown = Reflect.get(vitest, 'reporters')
  if (session.hasReporter || !Array.isArray(reporters)) return
  const reporter = new ModelCacheReporter()
  reporter.onInit(vitest)
  // `vitest list` runs the global setup too, and no test. No hook says so: only the command line does.
  if (process.argv[2] !== 'list') reporter.onTestRunStart()
  reporters.push(reporter)
}
