import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Environment } from '../../src/config/environment-variables.ts'
import { findToken } from '../../src/config/token.ts'
import { removeFolder } from '../support/remove-folder.ts'

const HUGGING_FACE = 'https://huggingface.co'
const MIRROR = 'https://mirror.example'

function tokenFor(endpoint: string, env: Environment, token?: string): Promise<string | undefined> {
  return findToken({ endpoint, token, concurrency: 8 }, env)
}

async function home(files: Record<string, string> = {}): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'token test '))
  onTestFinished(() => removeFolder(folder))
  for (const [path, content] of Object.entries(files)) {
    await mkdir(join(folder, path, '..'), { recursive: true })
    await writeFile(join(folder, path), content)
  }
  return folder
}

describe('the option hub.token', () => {
  test.each([HUGGING_FACE, MIRROR, 'https://mirror.example/base/path'])(
    'is sent to the endpoint %s',
    async (endpoint) => {
      expect(await tokenFor(endpoint, {}, 'option')).toBe('option')
    },
  )

  test('may end with a line break, as a token from a file does', async () => {
    expect(await tokenFor(MIRROR, {}, ' option\n')).toBe('option')
  })

  test('takes precedence over the environment', async () => {
    expect(await tokenFor(HUGGING_FACE, { HF_TOKEN: 'environment' }, 'option')).toBe('option')
  })
})

describe('the token of the environment', () => {
  test('is sent to huggingface.co', async () => {
    expect(await tokenFor(HUGGING_FACE, { HF_TOKEN: 'environment' })).toBe('environment')
    expect(await tokenFor(HUGGING_FACE, { HF_TOKEN: ' environment\n' })).toBe('environment')
  })

  test('is sent to HF_ENDPOINT', async () => {
    const env = { HF_TOKEN: 'environment', HF_ENDPOINT: `${MIRROR}/base/` }
    expect(await tokenFor(`${MIRROR}/base`, env)).toBe('environment')
    expect(await tokenFor(HUGGING_FACE, env)).toBe('environment')
  })

  test.each([
    MIRROR,
    'https://huggingface.co.evil.example',
    'https://evil.example/huggingface.co',
    'https://huggingface.co@evil.example',
    'https://huggingface.co:8443',
    'https://sub.huggingface.co',
  ])('is not sent to another endpoint: %s', async (endpoint) => {
    expect(await tokenFor(endpoint, { HF_TOKEN: 'environment' })).toBeUndefined()
    expect(await tokenFor(endpoint, { HF_TOKEN: 'environment', HF_ENDPOINT: 'https://else.example' })).toBeUndefined()
    expect(await tokenFor(endpoint, { HF_TOKEN: 'environment', HF_ENDPOINT: 'no URL' })).toBeUndefined()
  })
})

describe('over plain http', () => {
  test.each(['http://localhost:8080', 'http://127.0.0.1:8080', 'http://127.8.9.1', 'http://[::1]:8080'])(
    'a token is sent to this machine: %s',
    async (endpoint) => {
      expect(await tokenFor(endpoint, {}, 'option')).toBe('option')
      expect(await tokenFor(endpoint, { HF_TOKEN: 'environment', HF_ENDPOINT: endpoint })).toBe('environment')
    },
  )

  test.each([
    'http://huggingface.co',
    'http://mirror.example',
    'http://localhost.evil.example',
    'http://127.0.0.1.evil.example',
    'http://10.0.0.1',
    'http://[::2]',
  ])('a token is not sent to another machine: %s', async (endpoint) => {
    expect(await tokenFor(endpoint, {}, 'option')).toBeUndefined()
    expect(await tokenFor(endpoint, { HF_TOKEN: 'environment', HF_ENDPOINT: endpoint })).toBeUndefined()
  })
})

describe('the token of the environment is read', () => {
  test('from HF_TOKEN, then HUGGING_FACE_HUB_TOKEN, then from the file', async () => {
    const HF_HOME = await home({ token: 'of the file\n' })
    const old = { HUGGING_FACE_HUB_TOKEN: 'old', HF_HOME }
    expect(await tokenFor(HUGGING_FACE, { ...old, HF_TOKEN: 'new' })).toBe('new')
    expect(await tokenFor(HUGGING_FACE, old)).toBe('old')
    for (const empty of ['', '  ', '\n']) expect(await tokenFor(HUGGING_FACE, { ...old, HF_TOKEN: empty })).toBe('old')
    expect(await tokenFor(HUGGING_FACE, { HF_HOME, HF_TOKEN: '', HUGGING_FACE_HUB_TOKEN: '' })).toBe('of the file')
    expect(await tokenFor(HUGGING_FACE, { HF_HOME })).toBe('of the file')
    expect(await tokenFor(HUGGING_FACE, { HF_HOME, HF_TOKEN: '  ' })).toBe('of the file')
  })

  test('from the file of HF_TOKEN_PATH, of HF_HOME, of XDG_CACHE_HOME, in this order', async () => {
    const folder = await home({ path: 'by path', 'home/token': 'of HF_HOME', 'xdg/huggingface/token': 'of XDG' })
    const xdg = { XDG_CACHE_HOME: join(folder, 'xdg') }
    const hfHome = { ...xdg, HF_HOME: join(folder, 'home') }
    expect(await tokenFor(HUGGING_FACE, { ...hfHome, HF_TOKEN_PATH: join(folder, 'path') })).toBe('by path')
    expect(await tokenFor(HUGGING_FACE, hfHome)).toBe('of HF_HOME')
    expect(await tokenFor(HUGGING_FACE, xdg)).toBe('of XDG')
  })

  test('as undefined where the file is missing, empty or a folder', async () => {
    const folder = await home({ 'empty/token': ' \n', 'folder/token/x': '' })
    for (const name of ['missing', 'empty', 'folder'])
      expect(await tokenFor(HUGGING_FACE, { HF_HOME: join(folder, name) })).toBeUndefined()
  })
})
