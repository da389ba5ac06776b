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

function suite(): Promise<ProjectFolder> {
  const config = configSource({
    models: [{ repo: REPO, task: 'feature-extraction' }],
    report: { outputFile: 'report.json' },
  })
  return Consumer.create({ files: { 'vitest.config.ts': config, 'a.test.ts': ASKS, 'b.test.ts': ASKS } })
}

function filesAsked(): string[] {
  return hub.requests.filter(({ kind }) => kind === 'resolve').map(({ file }) => String(file))
}

describe('a cache folder that can not be used', () => {
  test('fails no suite: the run has its models from a folder of its own, once for all workers', async () => {
    const project = await suite()
    await writeFile(project.cacheDir, 'a file')
    const { exitCode, output, stderr, report } = await project.vitest([], env)
    expect(exitCode, output).toBe(0)
    expect(stderr).toMatch(/MODEL_CACHE_DIR.*temporary folder/)
    expect(report).toMatchObject({ requests: 2, errors: [] })
    expect(filesAsked().sort()).toEqual([...new Set(filesAsked())].sort())
    expect((await project.shell('ls temporary')).stdout).not.toContain('vitest-model-cache')
  })

  test.skipIf(!canMount)('because it is read-only serves what it has, and the run is as quiet as any', async () => {
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
  })
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
  expect(output).toContain(`${REPO}: onnx/model.onnx had changed in the cache, and was repaired`)
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
