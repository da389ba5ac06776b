import { dirname } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const FRAME = /(?:\(|at )((?:file:\/\/)?(?:\/|[A-Za-z]:[\\/])[^\n]*?):\d+:\d+\)?$/gm
const OF_JEST = /[\\/]node_modules[\\/](?:jest-config|jest-util)[\\/]/
const OF_PACKAGE = /[\\/]node_modules[\\/]/

/**
 * The folder of the config file that calls: the last file on the stack that is no package, before Jest's own. Jest takes it for the
 * root of the project, and resolves presets from there. The working directory if no such file calls.
 */
export function configFolder(): string {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = Number.POSITIVE_INFINITY
  const { stack = '' } = new Error()
  Error.stackTraceLimit = stackTraceLimit
  const files = [...stack.matchAll(FRAME)].map(([, file = '']) => file)
  const end = files.findIndex((file) => OF_JEST.test(file))
  const own = files.slice(0, end === -1 ? undefined : end).findLast((file) => !OF_PACKAGE.test(file))
  if (own === undefined) return process.cwd()
  return dirname(own.startsWith('file:') ? fileURLToPath(own) : own)
}
