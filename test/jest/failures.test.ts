import { randomBytes } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Consumer } from '../support/consumer.ts'
import { jestFiles } from '../support/jest/jest-files.ts'
import { startModelsHub } from '../support/models-hub.ts'

const { hub, env } = await startModelsHub([])
for (const name of ['hook', 'skipped', 'crash', 'exit']) hub.addRepo(`org/${name}`, { files: { 'config.json': '{}' } })
hub.addRepo('org/large', { files: { 'weights.bin': randomBytes(1 << 20) } })

const TESTS = {
  'before-all': `
    beforeAll(async () => {
      await models.file('org/hook', 'config.json')
      throw new Error('The hook failed')
    })
    test('is not run', () => {})
  `,
  crash: `
    test('ends the worker', async () => {
      await models.file('org/crash', 'config.json')
      await new Promise((resolve) => setImmediate(resolve))
      process.kill(process.pid, 'SIGKILL')
      await new Promise(() => {})
    })
  `,
  exit: `
    test('ends the process', async () => {
      await models.file('org/exit', 'config.json')
      process.exit(3)
    })
  `,
  unknown: `
    test.skip('is left out', () => {})
    test('asks for a repo that does not exist', async () => {
      await models.file('org/none', 'config.json')
    })
    test('expects the error', async () => {
      await expect(models.file('org/nowhere', 'config.json')).rejects.toMatchObject({ code: 'MODEL_NOT_FOUND' })
    })
  `,
  slow: `
    test('waits for a download', async () => {
      await (await fetch('https://huggingface.co/org/large/resolve/main/weights.bin')).arrayBuffer()
    }, 4000)
  `,
}
const SKIPPED = `
  await models.file('org/skipped', 'config.json')
  test.skip('is skipped', () => {})
`

test('requests are reported of a file whose hook throws, that is skipped, that crashes its worker or that waits too long', async () => {
  // The last bytes never arrive.
  hub.throttle({ total: 1 << 17 })
  const { 'jest.config.mjs': config = '', ...files } = jestFiles({ config: { maxWorkers: 2 }, tests: TESTS })
  const asFunction = config.replace(/withModelCache\((.*)\)/, 'withModelCache(async () => ($1))')
  const project = await Consumer.create({
    files: { ...files, 'jest.config.mjs': asFunction, 'skipped.test.mjs': SKIPPED },
  })
  const onDemand = { ...env, MODEL_CACHE_WARM: 'declared' }
  const options = ['--experimental-vm-modules', '--no-warnings']
  const { exitCode, report, json, output } = await project.jest([], onDemand, options)
  hub.throttle({})

  expect(exitCode, output).toBe(1)
  const messageOf = (name: string) => json?.testResults.find((file) => file.name.endsWith(`${name}.test.js`))?.message
  expect(messageOf('before-all')).toContain('The hook failed')
  expect(messageOf('unknown')).toMatch(/org\/none[\s\S]*\[MODEL_NOT_FOUND\]/)
  expect(messageOf('slow')).toMatch(/Exceeded timeout of 4000 ms/)
  expect(messageOf('slow')).toMatch(
    /waiting for the download of org\/large: [\s\S]*modelCache: \{ models: \['org\/large'\] \}/,
  )

  // Errors and their causes point at lines of the test, and at none of this package.
  const stacks = json?.testResults.map(({ message }) => message).join('')
  expect(stacks).toContain('unknown.test.js:4')
  expect(stacks).not.toContain('vitest-model-cache/dist')

  const requests = report?.models.map(({ repo, requests, testFiles }) => ({ repo, requests, testFiles }))
  expect(requests).toEqual(
    expect.arrayContaining([
      { repo: 'org/hook', requests: 1, testFiles: ['before-all.test.js'] },
      { repo: 'org/skipped', requests: 1, testFiles: ['skipped.test.mjs'] },
      { repo: 'org/crash', requests: 1, testFiles: ['crash.test.js'] },
      // Jest starts such a file again three times.
      { repo: 'org/exit', requests: 4, testFiles: ['exit.test.js'] },
    ]),
  )
  expect(report?.errors).toEqual(
    expect.arrayContaining([
      expect.objectContaining({
        model: 'org/none (config.json)',
        code: 'MODEL_NOT_FOUND',
        testFiles: ['unknown.test.js'],
      }),
      expect.objectContaining({ model: 'org/large', code: 'UNFINISHED', testFiles: ['slow.test.js'] }),
    ]),
  )
  expect(report).toMatchObject({ expectedErrors: 1 })
  expect(await readdir(join(project.cacheDir, 'events'))).toEqual([])
})
