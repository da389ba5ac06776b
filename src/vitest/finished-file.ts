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
  }
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
