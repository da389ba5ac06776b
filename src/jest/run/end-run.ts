import { messageOf } from '../../model/errors.ts'
import { endProject } from '../../run/end/end-project.ts'
import { disposeKept } from '../file/keepers.ts'
import type { GlobalConfig } from '../types.ts'
import { finish } from './finish.ts'
import { closeRun, type JestRun } from './session.ts'

/** Ends a run: shows its report, releases the claims on models, and removes what the run left for its workers. */
export async function endRun(run: JestRun, globalConfig: GlobalConfig): Promise<void> {
  try {
    // Tests that ran in this process loaded models here.
    await disposeKept()
    // The command line can replace the reporters.
    await finish(run, globalConfig)
    await endProjects(run)
  } finally {
    run.restore()
    closeRun()
  }
}

/** Releases the claims on models, and removes what the run left for its workers. */
export async function endProjects({ session }: JestRun): Promise<void> {
  try {
    for (const project of session.projects.values()) await endProject(project)
  } catch (error) {
    session.output.note(`The run could not be ended: ${messageOf(error)}`)
  }
}
