import { expect, onTestFinished, test, vi } from 'vitest'
import { parseRepoId } from '../../src/model/repo-id.ts'
import { originals } from '../../src/platform/originals.ts'
import { Engine, refusalOf } from '../support/engine.ts'

const TOKEN = 'hf_member'

test('a refusal of the Hub costs one request for all files of a model', async () => {
  const engine = await Engine.start(onTestFinished, { token: TOKEN })
  const { hub } = engine
  hub.addRepo('org/private', { files: { 'config.json': '{}' }, private: true })
  hub.addRepo('org/gated', { files: { 'config.json': '{}', 'tokenizer.json': '{}' }, gated: 'manual' })
  const codes = { 'org/missing': 'MODEL_NOT_FOUND', 'org/private': 'MODEL_NOT_FOUND', 'org/gated': 'GATED' }
  const requests: Record<string, number> = {}
  for (const [name, code] of Object.entries(codes)) {
    const cache = engine.open()
    const of = { repo: parseRepoId(name), revision: 'main' }
    const files = ['config.json', 'tokenizer.json', 'config.json']
    // First all at once, then one after the other.
    for (const error of await Promise.all(files.map((path) => refusalOf(cache.file(of, path)))))
      expect(error.code).toBe(code)
    for (const path of files) expect((await refusalOf(cache.describe(of, path))).code).toBe(code)
    requests[name] = hub.requests.filter(({ repo }) => repo === name).length
  }
  // The three requests for the gated repo are its commit, its listing and one file.
  expect(requests).toEqual({ 'org/missing': 1, 'org/private': 1, 'org/gated': 3 })
})

test('a repo that is created after a refusal is found at once by its name, and file by file after ten seconds', async () => {
  const engine = await Engine.start(onTestFinished)
  const cache = engine.open()
  const of = { repo: parseRepoId('org/late'), revision: 'main' }
  await refusalOf(cache.file(of, 'config.json'))
  engine.hub.addRepo('org/late', { files: { 'config.json': '{}', 'other.json': '{}' } })
  await refusalOf(cache.file(of, 'config.json'))
  const now = originals.monotonic()
  vi.spyOn(originals, 'monotonic').mockImplementation(() => now + 11_000)
  onTestFinished(() => void vi.restoreAllMocks())
  expect((await cache.file(of, 'config.json')).size).toBe(2)
  const later = { repo: parseRepoId('org/later'), revision: 'main' }
  await refusalOf(cache.file(later, 'config.json'))
  engine.hub.addRepo('org/later', { files: { 'config.json': '{}', 'other.json': '{}' } })
  await cache.get({ ...later, files: ['config.json'] })
  expect((await cache.file(later, 'other.json')).size).toBe(2)
})
