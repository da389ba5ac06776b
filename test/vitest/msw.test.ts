import { describe, expect, test } from 'vitest'
import { configSource } from '../support/config-source.ts'
import { Consumer } from '../support/consumer.ts'
import { startModelsHub } from '../support/models-hub.ts'

const { hub, env } = await startModelsHub([])
hub.addRepo('org/files', { files: { 'config.json': '{"model_type":"bert"}' } })

const USES = `
  const config = async () => (await fetch('https://huggingface.co/org/files/resolve/main/config.json')).json()
  const mocked = async () => (await fetch('https://api.example/user')).json()
`
const HANDLERS = `
  import { http, HttpResponse } from 'msw'
  import { setupServer } from 'msw/node'
  const server = setupServer(http.get('https://api.example/user', () => HttpResponse.json({ name: 'mocked' })))
`

describe('in a suite with msw, its mocks work, and models come from the cache', () => {
  test.each([
    [
      'listening from a setup file on',
      `server.listen({ onUnhandledRequest: 'bypass' }); afterAll(() => server.close())`,
      '',
    ],
    ['listening in one test, and closed in it', '', `server.listen({ onUnhandledRequest: 'bypass' })`],
  ])('%s', async (_, setup, inTest) => {
    const project = await Consumer.create({
      files: {
        'vitest.config.ts': configSource({}, `setupFiles: ['./setup.ts']`),
        'setup.ts': `import { afterAll } from 'vitest'; ${HANDLERS} ${setup}`,
        'a.test.ts': `
          import { expect, test } from 'vitest'
          ${HANDLERS}
          ${USES}
          test('mocks and models', async () => {
            ${inTest}
            expect(await config()).toEqual({ model_type: 'bert' })
            expect(await mocked()).toEqual({ name: 'mocked' })
            ${inTest && 'server.close()'}
            expect(await config()).toEqual({ model_type: 'bert' })
          })
        `,
      },
    })
    for (const isCold of [true, false]) {
      hub.clearRequests()
      const { exitCode, output } = await project.vitest([], env)
      expect(exitCode, output).toBe(0)
      expect(hub.requests.length > 0).toBe(isCold)
    }
  })

  test('and msw may answer in place of the Hub', async () => {
    const project = await Consumer.create({
      files: {
        'vitest.config.ts': configSource(),
        'a.test.ts': `
          import { http, HttpResponse } from 'msw'
          import { setupServer } from 'msw/node'
          import { expect, test } from 'vitest'
          ${USES}
          const url = 'https://huggingface.co/org/files/resolve/main/config.json'
          const server = setupServer(http.get(url, () => HttpResponse.json({ by: 'the suite' })))
          test('x', async () => {
            server.listen()
            expect(await config()).toEqual({ by: 'the suite' })
            server.close()
            expect(await config()).toEqual({ model_type: 'bert' })
          })
        `,
      },
    })
    const { exitCode, output } = await project.vitest([], env)
    expect(exitCode, output).toBe(0)
  })
})
