import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { Cli } from '../support/cli.ts'
import { Engine } from '../support/engine.ts'
import type { Repository } from '../support/hub/index.ts'

let engine: Engine
let moving: Repository

beforeEach(async () => {
  engine = await Engine.start(onTestFinished)
  engine.hub.addRepo('org/a', { files: { 'config.json': '{}', 'b.onnx': 'a' } })
  moving = engine.hub.addRepo('org/b', { files: { 'config.json': '{}', 'b.onnx': 'b' } })
})

async function keyOf(cacheDir = engine.cacheDir): Promise<string> {
  const { exitCode, stdout, stderr } = await new Cli(engine, { MODEL_CACHE_DIR: cacheDir }).run('key')
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
  expect(stdout).toMatch(/^[0-9a-f]{16}$/)
  return stdout
}

test('the key of the same content is the same in every cache, whatever the order, the dates and the uses', async () => {
  const elsewhere = join(engine.folder, 'elsewhere')
  for (const repo of ['org/a', 'org/b']) await engine.open().get(repo)
  for (const repo of ['org/b', 'org/a', 'org/a']) await engine.open({ cacheDir: elsewhere }).get(repo)
  const key = await keyOf()
  expect(await keyOf(elsewhere)).toBe(key)
  await new Cli(engine).run('pin', 'org/a')
  expect(await keyOf()).toBe(key)
})

test('the key changes with each model, file and commit', async () => {
  const keys: string[] = []
  const cache = () => engine.open()
  await cache().get({ repo: 'org/a', files: ['config.json'] })
  keys.push(await keyOf())
  await cache().get({ repo: 'org/a', files: ['b.onnx'] })
  keys.push(await keyOf())
  await cache().get('org/b')
  keys.push(await keyOf())
  await cache().remove('org/b')
  expect(await keyOf()).toBe(keys[1])
  moving.addCommit({ files: { 'README.md': 'new' } })
  await cache().get({ repo: 'org/b', revision: moving.commit, files: ['config.json', 'b.onnx'] })
  keys.push(await keyOf())
  expect(new Set(keys).size).toBe(keys.length)
})

test('an empty cache has a key, with a note', async () => {
  const cli = new Cli(engine)
  const [text, json, declared] = await Promise.all([cli.run('key'), cli.json(0, 'key'), cli.run('key', '--config')])
  expect(text).toMatchObject({ exitCode: 0, stdout: json.key, stderr: expect.stringContaining('holds 0 models') })
  expect(json).toMatchObject({ of: 'cache', models: 0, format: 1 })
  expect(declared).toMatchObject({ exitCode: 0, stderr: expect.stringContaining('declares 0 models') })
  expect(declared.stdout).not.toBe(text.stdout)
})
