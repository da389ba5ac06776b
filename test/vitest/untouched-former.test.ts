import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { configSource } from '../support/config-source.ts'
import { Consumer } from '../support/consumer.ts'
import { FORMER_TRANSFORMERS } from '../support/former-transformers.ts'
import { startModelsHub } from '../support/models-hub.ts'

const REPO = 'org/embeddings'
const { hub, env } = await startModelsHub([REPO])

const HEAD = `
  import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
  import { expect, test } from 'vitest'
  import { env, getModelFile } from '@xenova/transformers'
`
const LOADS = `${HEAD}
  test('a load that starts while another one writes gets the whole file', async () => {
    let meanwhile
    env.whileHalfWritten = async () => { meanwhile = await getModelFile('${REPO}', 'onnx/model.onnx') }
    const first = await getModelFile('${REPO}', 'onnx/model.onnx')
    meanwhile ??= await getModelFile('${REPO}', 'onnx/model.onnx')
    expect(meanwhile.length).toBe(first.length)
  })
`
// The inserted lines must not change this.
const LEAVES = `${HEAD}
  const read = async (...args) => new TextDecoder().decode(await getModelFile(...args))
  test('a file that the repo lacks is missing', async () => {
    expect(JSON.parse(await read('${REPO}', 'config.json'))).toHaveProperty('model_type')
    expect(await getModelFile('${REPO}', 'none.json', false)).toBeNull()
    await expect(getModelFile('${REPO}', 'none.json')).rejects.toThrow('Could not locate file')
  })
  test("a local model and the user's own cache are asked first, and a path is not taken for a repo id", async () => {
    mkdirSync('models/own', { recursive: true })
    writeFileSync('models/own/config.json', 'own')
    expect(await read('own', 'config.json')).toBe('own')
    await expect(getModelFile('./${REPO}', 'config.json', true, { local_files_only: true })).rejects.toThrow()
    env.useFSCache = false
    env.useCustomCache = true
    env.customCache = { match: async () => new Response('custom'), put: async () => {} }
    expect(await read('${REPO}', 'config.json')).toBe('custom')
  })
`

test('transformers.js 2 and 3 open our files, write no copy, and each load is counted', async () => {
  const project = await Consumer.create({
    files: {
      'vitest.config.ts': configSource({}, 'fileParallelism: false'),
      'a.test.ts': LOADS,
      'b.test.ts': LOADS,
      'leaves.test.ts': LEAVES,
    },
  })
  await project.write(FORMER_TRANSFORMERS)
  for (const misses of [1, 0]) {
    const { exitCode, output, report } = await project.vitest([], env)
    expect(exitCode, output).toBe(0)
    expect(report).toMatchObject({ requests: 3, misses, errors: [] })
    expect(await readdir(join(project.directory, 'own-cache')).catch(() => [])).toEqual([])
  }
  const sent = hub.requests.filter(({ kind }) => kind === 'resolve').map(({ file }) => file)
  expect(sent).toEqual([...new Set(sent)])
})
