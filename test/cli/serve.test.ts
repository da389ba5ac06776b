import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { openDoorWarning } from '../../src/serve/check-request.ts'
import { Cli } from '../support/cli.ts'
import { Engine } from '../support/engine.ts'
import { kill } from '../support/kill.ts'

const CONFIG = '{"model_type":"bert"}'

let engine: Engine
beforeEach(async () => {
  engine = await Engine.start(onTestFinished)
  engine.hub.addRepo('org/open', { files: { 'config.json': CONFIG, 'weights.bin': Buffer.alloc(40_000_000) } })
})

const cli = (env: Record<string, string> = {}) => new Cli(engine, env)

/** Starts a server, and reads what it prints until it listens. `notes` is all that it writes to stderr. */
async function start(args: string[], env: Record<string, string> = {}) {
  const child = cli(env).startServer('serve', '--port', '0', ...args)
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) await kill(child)
  })
  const [ended, notes] = [once(child, 'exit'), text(child.stderr)]
  let printed = ''
  for await (const chunk of child.stdout) {
    printed += chunk
    if (/\}\n$|HF_ENDPOINT=.*\n$/.test(printed)) break
  }
  return { child, ended, notes, printed }
}

test('`serve` prints the address for HF_ENDPOINT, a line for each request, and at the end what it did', async () => {
  const { child, ended, notes, printed } = await start(['--pull-through', '--verbose'])
  expect(printed).toContain(
    `the models of ${engine.cacheDir} (read-only, missing files are downloaded from ${engine.hub.url})`,
  )
  const [, url = ''] = /^HF_ENDPOINT=(http:\/\/127\.0\.0\.1:\d+)$/m.exec(printed) ?? []
  const secret = { headers: { Authorization: 'Bearer a-secret', Cookie: 'a-secret' } }
  expect(await (await fetch(`${url}/org/open/resolve/main/config.json?key=a-secret`, secret)).text()).toBe(CONFIG)
  expect((await fetch(`${url}/org/none/resolve/main/%1b%5b31m`)).status).toBe(400)
  child.kill('SIGTERM')
  expect(await ended).toEqual([143, null])
  const said = await notes
  expect(said).toMatch(/^127\.0\.0\.1 GET \/org\/open\/resolve\/main\/config\.json 200 \d+ B [\d.]+ m?s$/m)
  expect(said).toMatch(/^Answered 2 requests in .+: sent \d+ B, downloaded 21 B\.$/m)
  expect(said).not.toContain('a-secret')
  // It claims nothing any more.
  await cli().json(0, 'rm', 'org/open', '--yes')
})

test('`serve --json` prints one document, and with clients that are slow it ends within seconds', async () => {
  const { child, ended, notes, printed } = await start(['--pull-through', '--json', '--quiet'], {
    MODEL_CACHE_SERVE_TOKEN: 'from-the-environment',
  })
  const said = JSON.parse(printed)
  const address = { host: '127.0.0.1', port: expect.any(Number), url: `http://127.0.0.1:${said.port}` }
  expect(said).toEqual({ schemaVersion: 1, ...address, cacheDir: engine.cacheDir, pullThrough: true, token: true })
  const path = '/org/open/resolve/main/weights.bin'
  expect((await fetch(said.url + path)).status).toBe(401)
  const headers = { Authorization: 'Bearer from-the-environment' }
  expect((await fetch(said.url + path, { method: 'HEAD', headers })).status).toBe(200)
  const slow = connect(said.port, '127.0.0.1').on('error', () => undefined)
  slow.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer from-the-environment\r\n\r\n`)
  await once(slow, 'readable')
  const started = performance.now()
  child.kill('SIGINT')
  expect(await ended).toEqual([130, null])
  expect(performance.now() - started).toBeLessThan(30_000)
  expect(await notes).toBe('')
})

test('`serve` refuses an address that is taken, its own address as the Hub, and a token that no header can hold', async () => {
  const { child, ended, printed } = await start(['--json'])
  const { port } = JSON.parse(printed)
  const [taken, empty, wrong] = await Promise.all([
    cli().run('serve', '--port', String(port)),
    cli().run('serve', '--token', ''),
    cli().run('serve', '--port', '70000'),
  ])
  expect(taken).toMatchObject({
    exitCode: 2,
    stderr: expect.stringMatching(/EADDRINUSE.+another port with --port, or 0/),
  })
  expect(empty).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('It is empty.') })
  expect(wrong).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('0 to 65535') })
  child.kill('SIGTERM')
  await ended
  const own = await cli({ HF_ENDPOINT: `http://localhost:${port}` }).run('serve', '--port', String(port))
  expect(own).toMatchObject({
    exitCode: 2,
    stderr: expect.stringMatching(/names this server itself.+Unset HF_ENDPOINT/),
  })
})

test('a server that other machines reach without a token has one line of warning', () => {
  const door = { address: '0.0.0.0', hostname: '0.0.0.0', token: undefined }
  expect(openDoorWarning(door)).toMatch(/^Everybody who can reach 0\.0\.0\.0 .+ --token, .+$/)
  expect(openDoorWarning({ ...door, token: 'a-token' })).toBeUndefined()
  for (const address of ['127.0.0.1', '[::1]']) expect(openDoorWarning({ ...door, address })).toBeUndefined()
})
