import { chmod, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { configSource } from '../support/config-source.ts'
import { Consumer } from '../support/consumer.ts'
import { startModelsHub } from '../support/models-hub.ts'
import { canMount, mountMemory } from '../support/mount.ts'
import type { ProjectFolder } from '../support/project-folder.ts'

const { hub, env } = await startModelsHub(['org/embeddings'])
const REPO = 'org/embeddings'
const ASKS = `
  import { expect, test } from 'vitest'
  test('asks for a model', async ({ models }) => {
    const embed = await models.pipeline('feature-extraction', '${REPO}')
    expect((await embed('text', { pooling: 'mean' })).dims).toEqual([1, 16])
  })
`

// Asks for the same files, and does not load them.
const ALSO_ASKS = `
  import { test } from 'vitest'
  test('asks too', async ({ models }) => { await models.path({ repo: '${REPO}', task: 'feature-extraction' }) })
`

function suite(): Promise<ProjectFolder> {
  const config = configSource({
    models: [{ repo: REPO, task: 'feature-extraction' }],
    report: { outputFile: 'report.json' },
  })
  return Consumer.create({ files: { 'vitest.config.ts': config, 'a.test.ts': ASKS, 'b.test.ts': ALSO_ASKS } })
}

function filesAsked(): string[] {
  return hub.requests.filter(({ kind }) => kind === 'resolve').map(({ file }) => String(file))
}

describe('with a cache folder that can not be used', () => {
  test('no suite fails: the run downloads its models into a temporary folder, once for all workers', async () => {
    const project = await suite()
    await writeFile(project.cacheDir, 'a file')
    const { exitCode, output, stderr, report } = await project.vitest([], env)
    expect(exitCode, output).toBe(0)
    expect(stderr).toMatch(/MODEL_CACHE_DIR.*temporary folder/)
    expect(report).toMatchObject({ requests: 2, errors: [] })
    expect(filesAsked().sort()).toEqual([...new Set(filesAsked())].sort())
    expect((await project.shell('ls temporary')).stdout).not.toContain('vitest-model-cache')
  })

  test('because it holds other files, nothing in it changes, and the run has one warning', async () => {
    const config = configSource({ cacheDir: '.' })
    const inChild = `
      import { execFileSync } from 'node:child_process'
      import { expect, test } from 'vitest'
      test('in a child', () => {
        const code = "fetch('https://huggingface.co/${REPO}/resolve/main/config.json').then(({ status }) => console.log(status))"
        expect(execFileSync(process.execPath, ['--eval', code], { encoding: 'utf8' }).trim()).toBe('200')
        expect(process.env.HF_HUB_CACHE).toBeUndefined()
      })
    `
    const theirs = {
      'events/handlers/order.txt': 'x',
      'events/mb3k2x1a-77-0123ab/manifest.json': '{}',
      'leases/ann.12-0.json': '{}',
      'api/users/0123456789abcdef0123456789abcdef.json': '{}',
      'hub/index.txt': 'x',
    }
    const tests = { 'a.test.ts': ASKS, 'b.test.ts': ALSO_ASKS, 'c.test.ts': inChild }
    const project = await Consumer.create({ files: { 'vitest.config.ts': config, ...tests, ...theirs } })
    await project.shell('cd app && find events leases api hub -exec touch -d "30 days ago" {} +')
    const listing = 'cd app && ls -A | grep -v report.json && find events leases api hub -printf "%p %T@\\n" | sort'
    const before = (await project.shell(listing)).stdout
    const { exitCode, output, stderr } = await project.vitest([], {
      ...env,
      MODEL_CACHE_DIR: undefined,
      HF_HOME: undefined,
    })
    expect(exitCode, output).toBe(0)
    expect(stderr.match(/holds other files/g)).toHaveLength(1)
    expect(stderr).toMatch(/Cache folder .*`cacheDir`, MODEL_CACHE_DIR.*temporary folder/)
    // The report does not describe a folder that the run does not use.
    expect(output).toContain('hit rate')
    expect(output).not.toMatch(/cache 0 B of/)
    expect((await project.shell(listing)).stdout).toBe(before)
    expect((await project.shell('ls temporary')).stdout).not.toContain('vitest-model-cache')
  })

  test.skipIf(!canMount)(
    'because it is read-only, cached models are served, and the run prints no warning',
    async () => {
      const project = await suite()
      const { makeReadOnly, unmount } = mountMemory(project.cacheDir, 32)
      onTestFinished(unmount)
      await project.vitest([], env)
      hub.clearRequests()
      makeReadOnly()
      const { exitCode, output, stderr, report } = await project.vitest([], env)
      expect(exitCode, output).toBe(0)
      expect(stderr).toBe('')
      expect(report).toMatchObject({ requests: 2, hits: 2 })
      expect(hub.requests).toEqual([])
    },
  )
})

test('a file that had changed is repaired, and the report says so', async () => {
  const project = await suite()
  await project.vitest([], env)
  const blobs = join(project.cacheDir, 'hub/models--org--embeddings/blobs')
  const blob = join(blobs, (await readdir(blobs)).find((name) => name.length === 64) ?? '')
  await chmod(blob, 0o644)
  await writeFile(blob, 'damaged')
  hub.clearRequests()
  const { exitCode, output, report } = await project.vitest([], env)
  expect(exitCode, output).toBe(0)
  expect(report?.models).toMatchObject([{ repo: REPO, repaired: ['onnx/model.onnx'] }])
  expect(output).toContain(`${REPO}: onnx/model.onnx had changed in the cache and was repaired`)
  expect(filesAsked()).toEqual(['onnx/model.onnx'])
})

test("what the user's own Hugging Face cache has is not downloaded, and the report says so", async () => {
  const project = await suite()
  await project.vitest([], env)
  hub.clearRequests()
  const fresh = { MODEL_CACHE_DIR: join(project.directory, 'fresh'), HF_HUB_CACHE: join(project.cacheDir, 'hub') }
  const { exitCode, output, report } = await project.vitest([], { ...env, ...fresh })
  expect(exitCode, output).toBe(0)
  expect(report).toMatchObject({ requests: 2, hits: 2, models: [{ tiers: { adopted: 1, disk: 1 } }] })
  expect(output).toMatch(/took .*B from your Hugging Face cache/)
  expect(filesAsked()).toEqual([])
})
