import { randomBytes } from 'node:crypto'
import { expect, onTestFinished, test } from 'vitest'
import { configSource } from '../support/config-source.ts'
import { Consumer } from '../support/consumer.ts'
import { startModelsHub } from '../support/models-hub.ts'

const MEGABYTE = 1 << 20
const { hub, env } = await startModelsHub([])
hub.addRepo('org/large', { files: { 'weights.bin': randomBytes(8 * MEGABYTE) } })

test.each([
  ['a test', `test('x', async () => { await (await fetch(url)).arrayBuffer() }, 4000)`],
  ['a test with models', `test('x', async ({ models }) => { await models.path('org/large') }, 4000)`],
  ['a hook', `beforeAll(async () => { await (await fetch(url)).arrayBuffer() }, 4000)\ntest('x', () => {})`],
])('%s that waits for a download too long says for which, and what to do', async (_, body) => {
  // The first bytes come in time on a machine that is busy too, and the last ones never.
  hub.throttle({ total: MEGABYTE })
  onTestFinished(() => hub.throttle({}))
  const source = `
    import { beforeAll, test } from 'vitest'
    const url = 'https://huggingface.co/org/large/resolve/main/weights.bin'
    ${body}
  `
  const project = await Consumer.create({ files: { 'vitest.config.ts': configSource(), 'a.test.ts': source } })
  const { exitCode, output } = await project.vitest([], env)
  expect(exitCode).toBe(1)
  expect(output).toMatch(/timed out in 4000ms/)
  expect(output).toMatch(
    /waiting for the download of org\/large: .* of 8 MB had come\. .*modelCache\(\{ models: \['org\/large'\] \}\)/,
  )
})
