import { mkdtemp, readdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
import { ModelCache } from '../../src/cache/model-cache.ts'
import { resolveOptions } from '../../src/config/options.ts'
import { withModelCache } from '../../src/node-test/index.ts'
import { Consumer } from '../support/consumer.ts'
import { Document } from '../support/documents/document.ts'
import { filesOf } from '../support/documents/workshop.ts'
import { startHub } from '../support/hub/index.ts'
import { makeEmbeddingModel } from '../support/model-maker/index.ts'
import { removeFolder } from '../support/remove-folder.ts'

const MODEL = 'Xenova/all-MiniLM-L6-v2'
const hub = await startHub()
const made = await mkdtemp(join(tmpdir(), 'made models '))
const { directory } = await makeEmbeddingModel(made)
hub.addRepo(MODEL, { directory, pipelineTag: 'feature-extraction' })
afterAll(async () => {
  await hub.close()
  await removeFolder(made)
})

const recipe = new Document('docs/recipes.md').blocks.filter(({ heading }) => heading === "Node.js's own test runner")
const command = recipe.find(({ language }) => language === 'sh')?.text ?? ''

test('the runner of Node.js gets one download, models in each process, a report and a record', async () => {
  const files = filesOf(recipe)
  const project = await Consumer.create({
    files: {
      ...files,
      'models.setup.js': (files['models.setup.js'] ?? '').replace('({', `({ report: { outputFile: 'report.json' },`),
      'test/untouched.test.js': `
        import assert from 'node:assert/strict'
        import { execFileSync } from 'node:child_process'
        import { test } from 'node:test'

        const FETCH = 'console.log((await fetch("https://huggingface.co/${MODEL}/resolve/main/config.json")).status)'
        test('a child process has the cache', () => {
          const args = ['--input-type=module', '-e', FETCH]
          assert.equal(execFileSync(process.execPath, args, { encoding: 'utf8' }), '200\\n')
        })
        test('a repo that does not exist is an error', async () => {
          assert.notEqual((await fetch('https://huggingface.co/org/none/resolve/main/config.json')).status, 200)
        })
      `,
    },
  })
  const print = "console.log(process.allowedNodeEnvironmentFlags.has('--test-global-setup'))"
  const { stdout } = await project.script(['-e', print])
  const args = stdout === 'true' ? command.split(' ').slice(1) : ['run-tests.js']
  const run = () => project.script(args, { HF_ENDPOINT: hub.url })

  const testFiles = ['test/embeddings.test.js', 'test/untouched.test.js']

  const cold = await run()
  expect(cold.exitCode, cold.output).toBe(0)
  expect(cold.stderr).toContain('Model cache')
  expect(hub.requests.filter(({ kind, file }) => kind === 'cdn' && file === 'onnx/model.onnx')).toHaveLength(1)
  expect(cold.report).toMatchObject({ misses: 1, failed: 0, expectedErrors: 1, models: [{ repo: MODEL, testFiles }] })
  hub.clearRequests()
  const warm = await run()
  expect(warm.exitCode, warm.output).toBe(0)
  expect(hub.requests.filter(({ repo }) => repo !== 'org/none')).toEqual([])
  expect(warm.report).toMatchObject({ misses: 0, failed: 0, expectedErrors: 1, models: [{ repo: MODEL, testFiles }] })
  expect(await readdir(join(project.cacheDir, 'events'))).toEqual([])
  expect(await readdir(join(project.cacheDir, 'runs'))).toHaveLength(2)
})

test('tests run without models if nothing can be left for their processes', async () => {
  const cacheDir = await mkdtemp(join(made, 'cache '))
  await new ModelCache(resolveOptions({ cacheDir }, {}, made)).prepare()
  await writeFile(join(cacheDir, 'events'), 'no folder')
  const told = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  const { globalSetup, globalTeardown } = withModelCache({ cacheDir })
  await globalSetup()
  await globalTeardown()
  const text = told.mock.calls.join('')
  told.mockRestore()
  expect(text).toMatch(/The tests of .+ run without models: /)
})
