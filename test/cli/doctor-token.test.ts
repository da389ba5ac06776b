import { expect, onTestFinished, test } from 'vitest'
import { checkToken } from '../../src/cli/doctor/token.ts'
import { Engine } from '../support/engine.ts'

test('`doctor` asks the Hub whose token it is, and a token that was not accepted is not ok', async () => {
  const engine = await Engine.start(onTestFinished, { token: 'hf_good' })
  const at = (token: string, endpoint = engine.hub.url) => ({ hub: { endpoint, concurrency: 1, token } })
  const states: [object, boolean, object][] = [
    [at('hf_good'), true, { level: 'ok', text: `of user member at ${engine.hub.url}` }],
    [
      at('hf_bad'),
      true,
      { level: 'fail', text: expect.stringContaining('refuses'), next: expect.stringMatching(/\/settings\/tokens/) },
    ],
    [
      { ...at('hf_bad'), offline: true },
      true,
      { level: 'warn', text: expect.stringContaining('not checked: offline') },
    ],
    [at('hf_bad'), false, { level: 'warn', text: expect.stringContaining('not checked') }],
    [at('hf_bad', 'http://hub.example'), true, { level: 'warn', text: expect.stringContaining('plain http') }],
    [{ env: { HF_TOKEN: 'hf_bad' } }, true, { level: 'warn', text: expect.stringContaining('another endpoint') }],
    [{}, true, { level: 'ok', text: expect.stringContaining('none') }],
  ]
  for (const [options, canAsk, check] of states) {
    const found = await checkToken(engine.open(options).context, canAsk)
    expect(found).toMatchObject({ name: 'token', ...check })
    expect(JSON.stringify(found)).not.toContain('hf_')
  }
  expect(engine.hub.requests.map(({ path, status }) => `${path} ${status}`)).toEqual([
    '/api/whoami-v2 200',
    '/api/whoami-v2 401',
  ])
  engine.hub.fault({}, { html: true }, { times: 1 })
  engine.hub.fault({}, { status: 503 }, { times: 1 })
  for (const why of ['JSON', 'HTTP 503']) {
    const found = await checkToken(engine.open(at('hf_good')).context, true)
    expect(found).toMatchObject({ level: 'warn', text: expect.stringContaining(why) })
  }
})
