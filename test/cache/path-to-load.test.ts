import { readFileSync } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { CachedModel } from '../../src/cache/index.ts'
import { Engine } from '../support/engine.ts'

const DTYPES = ['fp32', 'fp16', 'q8', 'uint8'] as const
const FILES = { fp32: 'model', fp16: 'model_fp16', q8: 'model_quantized', uint8: 'model_uint8' }

let engine: Engine

beforeEach(async () => {
  engine = await Engine.start(onTestFinished)
})

/** Caches an embedding model with each dtype. */
async function cacheModel(size = 6_000_000): Promise<CachedModel> {
  await engine.addEmbeddings('org/encoder', { size, dtypes: DTYPES })
  return engine.open().get({ repo: 'org/encoder', files: ['**'] })
}

/** The output of a model for some tokens, as bytes. */
async function outputOf(session: InferenceSession): Promise<Buffer> {
  const ids = BigInt64Array.from([2n, 40n, 41n, 900n, 3n])
  const inputs = session.inputNames.map((name) => {
    const values = name === 'input_ids' ? ids : ids.map((_) => (name === 'attention_mask' ? 1n : 0n))
    return [name, new Tensor('int64', values, [1, ids.length])]
  })
  const outputs = await session.run(Object.fromEntries(inputs))
  return Buffer.concat(
    Object.values(outputs).map(({ data }) => Buffer.from(JSON.stringify([...(data as Float32Array)]))),
  )
}

async function load(path: string): Promise<InferenceSession> {
  const session = await InferenceSession.create(path)
  onTestFinished(() => session.release())
  return session
}

/** True while this process has a file mapped into its memory. */
function isMapped(path: string): boolean {
  return readFileSync('/proc/self/maps', 'utf8').includes(path)
}

describe('a cached ONNX file', () => {
  test.each(DTYPES)('%s: loads mapped, with the same output', async (dtype) => {
    const model = await cacheModel()
    const file = model.file(`onnx/${FILES[dtype]}.onnx`)
    const { path, way } = await engine.open().pathToLoad(file)
    expect(way).toBe('mapped')
    expect((await stat(path)).size).toBeLessThan(20_000)
    const plain = await outputOf(await load(file))
    const session = await load(path)
    if (process.platform === 'linux') expect(isMapped(await realpath(file))).toBe(true)
    expect((await outputOf(session)).equals(plain)).toBe(true)
  })

  test('that is mapped can be used after the model was removed or evicted', async () => {
    await engine.addEmbeddings('org/encoder', { size: 6_000_000 })
    for (const remove of [() => engine.open().remove('org/encoder'), () => engine.open({ maxSize: 1 }).maintain()]) {
      const model = await engine.open().get('org/encoder')
      const { path, way } = await engine.open().pathToLoad(model.file('onnx/model.onnx'))
      const session = await load(path)
      const before = await outputOf(session)
      await remove()
      expect(await engine.listing('hub')).toEqual([])
      expect(way).toBe('mapped')
      expect((await outputOf(session)).equals(before)).toBe(true)
    }
  })

  test('is loaded as it is where nothing would be gained, or where the options say so', async () => {
    const model = await cacheModel(60_000)
    const file = model.file('onnx/model.onnx')
    expect(await engine.open().pathToLoad(file)).toMatchObject({ path: file, way: 'plain', reason: 'it is too small' })
    const config = model.file('config.json')
    expect(await engine.open().pathToLoad(config)).toMatchObject({ path: config, way: 'plain' })
    expect(await engine.open().pathToLoad('/elsewhere/model.onnx')).toMatchObject({
      path: '/elsewhere/model.onnx',
      way: 'plain',
    })
  })

  test('is loaded as it is with `load: plain`', async () => {
    const file = (await cacheModel()).file('onnx/model.onnx')
    expect(await engine.open({ load: 'plain' }).pathToLoad(file)).toMatchObject({ path: file, way: 'plain' })
  })
})
