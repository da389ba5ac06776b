import { join } from 'node:path'
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
