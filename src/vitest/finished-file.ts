import type { TestModule } from 'vitest/node'
import { messageOf } from '../model/errors.ts'
import type { FinishedFile } from '../run/end/finished-run.ts'
import type { Session } from '../run/session.ts'
import { findProject } from './add-project.ts'
import { readFileReport } from './channel.ts'

/** A finished test file, in the words of `src/run`. */
export function finishedFile(session: Session, module: TestModule): FinishedFile {
  return {
    // Merged blob reports come from another process: here no global setup ran for their projects.
    project: findProject(session, module.project),
    path: module.moduleId,
    report: readFileReport(module.meta()),
    hasPassed: (id) => (testOf(module, id)?.result().state ?? module.state()) === 'passed',
    errors: () => errorsOf(module),
    isWhole: () => isWhole(module),
  }
}

/**
 * True if all tests of the file ran and passed. With a pattern for the names of tests, the others are left out on purpose. Without
 * isolation a test file may use what another one has loaded.
 */
function isWhole(module: TestModule): boolean {
  const { project } = module
  if (project.isBrowserEnabled() || !project.config.isolate) return false
  const state = module.state()
  if (project.vitest.getGlobalTestNamePattern()) return state === 'passed' || state === 'skipped'
  return state === 'passed' && module.children.allTests('skipped').next().done === true
}

function testOf(module: TestModule, id: string | undefined) {
  return id === undefined ? undefined : [...module.children.allTests()].find((test) => test.id === id)
}

function errorsOf(module: TestModule): string[] {
  const suites = [...module.children.allSuites()]
  const tests = [...module.children.allTests('failed')]
  const errors = [module, ...suites].flatMap((of) => of.errors())
  return [...errors, ...tests.flatMap((test) => test.result().errors ?? [])].flatMap(messagesOf)
}

function messagesOf(error: { message: string; cause?: unknown }): string[] {
  const { message, cause } = error
  return [
    message,
    ...(typeof cause === 'object' && cause !== null
      ? messagesOf({ message: messageOf(cause), cause: Reflect.get(cause, 'cause') })
      : []),
  ]
}
