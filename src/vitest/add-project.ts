import type { ResolvedConfig, TestProject } from 'vitest/node'
import { type Options, resolveOptions } from '../config/options.ts'
import { ModelCacheError } from '../model/errors.ts'
import type { Project } from '../run/project.ts'
import type { Session } from '../run/session.ts'
import { addProject } from '../run/start/add-project.ts'

/** Adds a project that has the plugin. */
export function addTestProject(session: Session, project: TestProject, options: Options): Project {
  return addProject(session, project, { root: project.config.root, options })
}

/** The project's part of the session. A project that the session does not know is wired by hand. Throws `INVALID_OPTION`. */
export function findProject(session: Session, project: TestProject): Project {
  return session.projects.get(project) ?? addTestProject(session, project, optionsByHand(project.config))
}

/** The options of a project that is wired by hand: `environmentOptions.modelCache`. Throws `INVALID_OPTION`. */
function optionsByHand({ environmentOptions, root }: ResolvedConfig): Options {
  const options = resolveOptions(Reflect.get(environmentOptions ?? {}, 'modelCache'), process.env, root)
  if (options.hub.token === undefined) return options
  throw new ModelCacheError({
    code: 'INVALID_OPTION',
    asked: 'Option `hub.token` in `environmentOptions.modelCache`',
    reason: 'Vitest hands environment options to every worker, and a token must not go there.',
    nextStep: 'Set HF_TOKEN, or use the plugin: modelCache({ hub: { token } }).',
  })
}
