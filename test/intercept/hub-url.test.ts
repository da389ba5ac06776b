import { expect, test } from 'vitest'
import { addressAt, parseHubUrl } from '../../src/intercept/hub-url.ts'
import { isCommit } from '../../src/model/revision.ts'
import fc from '../support/property.ts'

const HF = 'https://huggingface.co'
const BASES = [HF, 'http://127.0.0.1:8080/mirror']
const COMMIT = 'a'.repeat(40)

test.each([
  ['/org/name/resolve/main/config.json', 'org/name', 'main', 'config.json'],
  ['/gpt2/resolve/main/onnx/model.onnx', 'gpt2', 'main', 'onnx/model.onnx'],
  [`/org/name/resolve/${COMMIT}/a%20b.json?download=true#x`, 'org/name', COMMIT, 'a b.json'],
  ['/org/name/resolve/refs%2Fpr%2F1/a.json', 'org/name', 'refs/pr/1', 'a.json'],
  ['/org/name/resolve/refs/pr/1/a.json', 'org/name', 'refs/pr/1', 'a.json'],
  ['/org/resolve/resolve/main/resolve/a', 'org/resolve', 'main', 'resolve/a'],
])('%s is a file of a model', (address, repo, revision, path) => {
  for (const base of BASES) expect(parseHubUrl(base + address, BASES)).toEqual({ kind: 'file', repo, revision, path })
})

test.each([
  ['/api/models/org/name', 'org/name', 'main'],
  ['/api/models/gpt2', 'gpt2', 'main'],
  ['/api/models/org/name?expand=sha', 'org/name', 'main'],
  [`/api/models/org/name/revision/${COMMIT}`, 'org/name', COMMIT],
  ['/api/models/org/name/tree/main/onnx?recursive=true', 'org/name', 'main'],
  ['/api/models/org/name/paths-info/v1.0', 'org/name', 'v1.0'],
])('%s is a read of the API', (address, repo, revision) => {
  expect(parseHubUrl(HF + address, BASES)).toEqual({ kind: 'api', repo, revision, address })
})

test.each([
  ['another host', 'https://example.com/org/name/resolve/main/a'],
  ['a host that only begins alike', 'https://huggingface.co.example/org/name/resolve/main/a'],
  ['a dataset', `${HF}/datasets/org/name/resolve/main/a`],
  ['a space', `${HF}/spaces/org/name/resolve/main/a`],
  ['a web page', `${HF}/org/name/blob/main/a`],
  ['a file as text', `${HF}/org/name/raw/main/a`],
  ['a folder', `${HF}/org/name/resolve/main/`],
  ['an upload', `${HF}/api/models/org/name/commit/main`],
  ['what LFS asks before an upload', `${HF}/org/name.git/info/lfs/objects/batch`],
  ['a search', `${HF}/api/models?search=bert`],
  ['a dataset of the API', `${HF}/api/datasets/org/name`],
  ['who one is', `${HF}/api/whoami-v2`],
  ['an encoding that can not be undone', `${HF}/org/name/resolve/main/%E0%A4%A`],
  ['a repo that would lead elsewhere', `${HF}/..%2F..%2Fetc/resolve/main/passwd`],
])('%s is none of our business', (_, url) => {
  expect(parseHubUrl(url, BASES)).toBeUndefined()
})

test.each([
  ['/api/models/org/name', `/api/models/org/name/revision/${COMMIT}`],
  ['/api/models/gpt2?expand=sha', `/api/models/gpt2/revision/${COMMIT}?expand=sha`],
  ['/api/models/org/name/revision/main', `/api/models/org/name/revision/${COMMIT}`],
  ['/api/models/org/name/tree/refs%2Fpr%2F1/onnx?a=?', `/api/models/org/name/tree/${COMMIT}/onnx?a=?`],
  ['/api/models/org/name/tree/refs/pr/1/onnx', `/api/models/org/name/tree/${COMMIT}/onnx`],
  ['/api/models/org%2Fname/paths-info/v1.0', `/api/models/org%2Fname/paths-info/${COMMIT}`],
])('%s is also asked at a commit', (address, at) => {
  if (!isCommit(COMMIT)) throw new Error('No commit')
  expect(addressAt({ address }, COMMIT)).toBe(at)
})

test('any address is either parsed or ignored, and never throws', () => {
  fc.assert(
    fc.property(fc.webUrl({ withQueryParameters: true }), fc.array(fc.string(), { maxLength: 6 }), (url, segments) => {
      for (const address of [url, `${HF}/${segments.join('/')}`, `${HF}/org/name/resolve/${segments.join('/')}`]) {
        const read = parseHubUrl(address, BASES)
        if (read) expect(address.startsWith(`${HF}/`)).toBe(true)
      }
    }),
  )
})
