import { expect } from 'vitest'
import { configSource } from './config-source.ts'
import type { RunResult } from './project-folder.ts'

/** A test file with the options of Vitest that it needs, as source. */
export interface SuiteSource {
  source: string
  /** Options of its project, such as `pool: 'threads'`. */
  options?: string
}

/** A project in which these suites run at once: a test file for each, and a project of Vitest for each set of options. */
export function suitesInOneRun(
  suites: Record<string, SuiteSource>,
  modelCache: Parameters<typeof configSource>[0] = {},
): Record<string, string> {
  const files = Object.entries(suites).map(([name, { source, options = '' }]) => ({
    path: `${name}.test.ts`,
    source,
    options,
  }))
  const projects = [...new Set(files.map(({ options }) => options))].map((options, index) => {
    const include = JSON.stringify(files.filter((file) => file.options === options).map(({ path }) => path))
    return `{ extends: true, test: { name: '${index}', include: ${include}, ${options} } }`
  })
  return {
    'vitest.config.ts': configSource(modelCache, `projects: [${projects.join()}]`),
    ...Object.fromEntries(files.map(({ path, source }) => [path, source])),
  }
}

/** Fails the test unless the test file of this suite passed. */
export function expectPassed({ output }: RunResult, name: string): void {
  expect(output).toMatch(new RegExp(` ✓ .*\\b${name}\\.test\\.ts \\(`))
}
