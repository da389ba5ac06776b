import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { expect, inject, test } from 'vitest'
import { KEPT } from '../../src/platform/originals.ts'

const preload = join(inject('packedPackage'), 'dist/intercept/preload.cjs')

async function preloaded(expression: string): Promise<unknown> {
  const { stdout } = await execa(process.execPath, ['--require', preload, '--print', `JSON.stringify(${expression})`])
  return JSON.parse(stdout)
}

test('the preload keeps exactly the globals that the engine reads', async () => {
  const there = KEPT.filter((name) => name in globalThis)
  const kept = await preloaded(`Object.keys(process[Symbol.for('vitest-model-cache.globals')])`)
  expect(kept).toEqual(expect.arrayContaining(there))
  expect(KEPT).toEqual(expect.arrayContaining(kept as string[]))
})

// Node.js loads the code of these globals when they are first read, in this version or the next. undici alone takes 25 to 40 ms.
test('the preload reads no global for which Node.js loads a module', async () => {
  expect(
    KEPT.filter((name) => /^(Form|Headers|Request|Response|Message|WebSocket|Close|Event|.*Stream|Crypto)/.test(name)),
  ).toEqual([])
  const loaded = await preloaded(`process.moduleLoadList.filter((name) => /undici|webstreams|webcrypto/.test(name))`)
  const without = await execa(process.execPath, [
    '--print',
    `JSON.stringify(process.moduleLoadList.filter((name) => /undici|webstreams|webcrypto/.test(name)))`,
  ])
  expect(loaded).toEqual(JSON.parse(without.stdout))
})

test('the preload extends transformers.js also where a suite has replaced the functions that read files', async () => {
  const source = fileURLToPath(import.meta.resolve('@huggingface/transformers')).replace(/\.mjs$/, '.cjs')
  const extended = await preloaded(`(() => {
    const { readFileSync } = fs
    fs.readFileSync = (path, ...rest) => (path === ${JSON.stringify(source)} ? readFileSync(path, ...rest) : 'mine')
    const extended = fs.readFileSync(${JSON.stringify(source)}, 'utf8')
    return [extended.includes('/* vitest-model-cache */'), fs.readFileSync('any')]
  })()`)
  expect(extended).toEqual([true, 'mine'])
})
