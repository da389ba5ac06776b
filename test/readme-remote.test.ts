import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, inject, type OnTestFinishedHandler, test, vi } from 'vitest'
import { parse } from 'yaml'
import { Document } from './support/documents/document.ts'
import { type DocumentsHub, startDocumentsHub } from './support/documents/models.ts'
import { reportShapes } from './support/documents/shape.ts'
import { Actions, type Trigger } from './support/documents/workflow.ts'
import { ASKS, filesOf, Workshop } from './support/documents/workshop.ts'
import { NGINX, NGINX_PASSWORD, NGINX_USER, startNginx } from './support/remote/nginx.ts'
import { BUCKET, S3_ENV, s3Address, startS3rver } from './support/remote/s3-servers.ts'

const blocks = ['docs/remote.md', 'docs/ci.md'].flatMap((path) => new Document(path).blocks)
/** The test of Start. */
const TEST = filesOf(new Document('README.md').blocks.filter(({ heading }) => heading === 'Start'))[
  'embeddings.test.ts'
]

function under(heading: string, language: string) {
  return blocks.filter((block) => block.heading === heading && block.language === language)
}

function textOf(heading: string, language: string): string {
  return under(heading, language)
    .map(({ text }) => text)
    .join('\n')
}

// Many processes at a time: where the machine is busy with other tests too, each waits for the others.
vi.setConfig({ testTimeout: 600_000 })

let workshop: Workshop
beforeAll(async () => {
  workshop = await Workshop.open(inject('packedPackage'))
}, 60_000)
afterAll(() => workshop.close())

/** A Hub of one test, which can be switched off. */
async function ownHub(onTestFinished: (close: OnTestFinishedHandler) => void): Promise<DocumentsHub['hub']> {
  const { hub, close } = await startDocumentsHub()
  onTestFinished(close)
  return hub
}

/** A project with the config under a heading and a test. `replaced`: what the reader replaces, and by what. */
async function projectOf(heading: string, replaced: Record<string, string>, test = ASKS): Promise<string> {
  const files = { ...filesOf(under(heading, 'ts')), 'embeddings.test.ts': test }
  const own = Object.entries(files).map(([name, text]) => [name, replacedIn(text, replaced)])
  return workshop.folder(Object.fromEntries(own))
}

function replacedIn(text: string, replaced: Record<string, string>): string {
  return Object.entries(replaced).reduce((changed, [from, to]) => changed.replaceAll(from, to), text)
}

describe.concurrent('docs/remote.md:', () => {
  test('a folder is filled by one machine, and serves an empty one while the Hub is off, by two kinds of stores', async ({
    onTestFinished,
  }) => {
    const hub = await ownHub(onTestFinished)
    const shared = join(await workshop.folder({}), 'models')
    const folder = await projectOf('Share a folder', { 'file:///mnt/models': pathToFileURL(shared).href }, TEST)
    const machine = (name: string) => ({ HF_ENDPOINT: hub.url, MODEL_CACHE_DIR: join(shared, '..', name) })
    const first = await workshop.run(textOf('Share a folder', 'sh'), folder, machine('first'))
    expect(first.exitCode, first.output).toBe(0)
    expect(first.output).toMatch(/Sent 1 model to file:\S+models \([\d.]+ .iB, [\d.]+ m?s\)\./)
    expect((await readdir(shared)).sort()).toEqual(['blobs', 'models'])

    await hub.stopListening()
    hub.clearRequests()
    const second = await workshop.run('npx vitest run', folder, machine('second'))
    expect(second.exitCode, second.output).toBe(0)
    expect(reportShapes(second.stdout), second.stdout).toEqual(reportShapes(textOf('Share a folder', 'text')))

    await workshop.write(folder, filesOf(under('A store of your own', 'ts')))
    const third = await workshop.run('npx vitest run', folder, { ...machine('third'), TEAM_MODELS: shared })
    expect(third.exitCode, third.output).toBe(0)
    expect(third.stdout).toContain('remote ×1')

    await workshop.write(folder, filesOf(under('Share a folder', 'ts')))
    const remote = { MODEL_CACHE_REMOTE: pathToFileURL(shared).href }
    const commands = await workshop.run(textOf('Commands for the remote', 'sh'), folder, {
      ...machine('first'),
      ...remote,
    })
    expect(commands.exitCode, commands.output).toBe(0)
    expect(commands.output).toMatch(/all already there(.|\n)*There is nothing to remove/)
    expect(hub.requests).toEqual([])
  })
})

describe.concurrent('docs/ci.md:', () => {
  const main = { ref: 'refs/heads/main' }
  const fork = { event: { pull_request: { head: { repo: { fork: true } } } } }

  // A run leaves a store alone that does not answer within 2 s, and on a busy machine the server of this test may take longer.
  const whenBusy = { retry: 1 }

  test(
    'models on S3 and R2: main writes, pull requests read, and a fork does without',
    whenBusy,
    async ({ onTestFinished }) => {
      const server = await startS3rver()
      onTestFinished(server.close)
      const address = s3Address(server.url, 'vitest', { region: 'eu-central-1' }).href
      const written = 's3://team-models/vitest?region=eu-central-1'
      const folder = await projectOf('Models on S3', { [written]: address })
      /** Runs a workflow on an empty machine, and returns its output. */
      async function run(machine: string, heading: string, trigger: Partial<Trigger>) {
        const actions = new Actions(workshop, join(folder, `storage of ${machine}`), {
          MODEL_CACHE_DIR: join(folder, machine),
        })
        const workflow = parse(textOf(heading, 'yaml').replace(/https:\/\/\w+\.r2\.\S+/, server.url))
        await actions.run(workflow, folder, { ref: 'refs/pull/1/merge', secrets: {}, ...trigger })
        return actions.output
      }
      const first = await run('first', 'Models on S3', { credentials: S3_ENV })
      expect(first, first).toContain('1 miss')
      expect(first).not.toContain('Sent ')
      const writer = await run('writer', 'Models on S3', { ...main, credentials: S3_ENV })
      expect(writer, writer).toContain(`Sent 1 model to s3://${BUCKET}/vitest`)
      const ofFork = await run('fork', 'Models on S3', fork)
      expect(ofFork, ofFork).toContain('1 miss')
      expect(ofFork).not.toContain('is not used any more')
      // The same bucket, whose address and keys come from the environment.
      const config = Object.entries(filesOf(under('Models on S3', 'ts')))
      const byName = config.map(([name, text]) => [name, text.replace(written, `s3://${BUCKET}/vitest?region=auto`)])
      await workshop.write(folder, Object.fromEntries(byName))
      const secrets = { R2_ACCESS_KEY_ID: S3_ENV.AWS_ACCESS_KEY_ID, R2_SECRET_ACCESS_KEY: S3_ENV.AWS_SECRET_ACCESS_KEY }
      const reader = await run('reader', 'Models on R2', { secrets })
      expect(reader, reader).toContain('1 request: 1 hit, 0 misses')
    },
  )

  test.skipIf(NGINX === undefined)(
    'models on nginx: a protected branch writes, others read',
    async ({ onTestFinished }) => {
      const nginx = await startNginx({ demands: 'password to write' })
      onTestFinished(nginx.close)
      const { test: job } = parse(textOf('Models on a web server', 'yaml'))
      const { MODEL_CACHE_REMOTE: address, ...others } = job.variables
      expect([address, others]).toEqual(['https://models.example/vitest', {}])
      const config = { ", remote: 'file:///mnt/models'": '' }
      const folder = await projectOf('Share a folder', config)
      const run = (machine: string, env: Record<string, string>) =>
        workshop.run(job.script.join('\n'), folder, {
          ...{ CI: 'true', GITLAB_CI: 'true', MODEL_CACHE_DIR: join(folder, machine), MODEL_CACHE_REMOTE: nginx.url },
          ...env,
        })
      const password = { MODEL_CACHE_REMOTE_USER: NGINX_USER, MODEL_CACHE_REMOTE_PASSWORD: NGINX_PASSWORD }
      const first = await run('main', password)
      expect(first.exitCode, first.output).toBe(0)
      expect(first.output).toContain('Sent 1 model to http://127.0.0.1')
      const second = await run('branch', {})
      expect(second.exitCode, second.output).toBe(0)
      expect(second.output).toContain('remote ×1')
      expect(second.output).not.toContain('Sent ')
    },
  )
})
