import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { remoteMode } from '../../src/remote/mode.ts'
import { removeFolder } from '../support/remove-folder.ts'

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'remote mode '))
})
afterAll(() => removeFolder(folder))

/** The mode of a remote that this machine has the credentials to write. */
const modeIn = (env: Record<string, string | undefined>) =>
  remoteMode({ url: 'https://cache.example/models' }, { MODEL_CACHE_REMOTE_TOKEN: 'secret', ...env }).mode

async function github(name: string, event: unknown, path = join(folder, 'event.json')) {
  await writeFile(join(folder, 'event.json'), typeof event === 'string' ? event : JSON.stringify(event))
  return modeIn({ GITHUB_ACTIONS: 'true', GITHUB_EVENT_NAME: name, GITHUB_EVENT_PATH: path })
}

const repo = (name: string | null) => (name === null ? { repo: null } : { repo: { full_name: name } })
const pull = (from: string | null, to = 'team/app') => ({ pull_request: { head: repo(from), base: repo(to) } })

describe('on GitHub', () => {
  test.each(['pull_request', 'pull_request_target', 'pull_request_review'])(
    '%s is told by the event file',
    async (name) => {
      expect(await github(name, pull('team/app'))).toBe('read-write')
      expect(await github(name, pull('stranger/app'))).toBe('read')
      // The fork was deleted.
      expect(await github(name, pull(null))).toBe('read')
      expect(await github(name, { pull_request: { head: repo(''), base: repo('') } })).toBe('read')
    },
  )

  test('an event file that is broken, missing or of another form means `read`', async () => {
    for (const broken of ['', '{', 'null', '[]', '"x"', '{}', '{"pull_request":7}'])
      expect(await github('pull_request', broken)).toBe('read')
    expect(await github('pull_request_target', pull('team/app'), join(folder, 'none.json'))).toBe('read')
    expect(await github('pull_request', pull('team/app'), folder)).toBe('read')
    expect(modeIn({ GITHUB_ACTIONS: 'true' })).toBe('read')
  })

  test('a workflow that runs after another one, and a comment, may work with code of a fork', async () => {
    const runOf = (from: unknown) => ({
      workflow_run: { head_repository: from },
      repository: { full_name: 'team/app' },
    })
    expect(await github('workflow_run', runOf({ full_name: 'team/app' }))).toBe('read-write')
    expect(await github('workflow_run', runOf({ full_name: 'stranger/app' }))).toBe('read')
    expect(await github('workflow_run', runOf(null))).toBe('read')
    expect(await github('issue_comment', { issue: { pull_request: { url: 'x' } } })).toBe('read')
    expect(await github('issue_comment', { issue: {} })).toBe('read-write')
  })

  test.each(['push', 'schedule', 'workflow_dispatch', 'merge_group'])('%s has code of the repository', async (name) => {
    expect(await github(name, 'broken')).toBe('read-write')
  })
})

test.each<[string, Record<string, string>, Record<string, string>, Record<string, string>]>([
  [
    'GitLab',
    { GITLAB_CI: 'true', CI_MERGE_REQUEST_ID: '1', CI_MERGE_REQUEST_PROJECT_ID: '7' },
    { CI_MERGE_REQUEST_SOURCE_PROJECT_ID: '7' },
    { CI_MERGE_REQUEST_SOURCE_PROJECT_ID: '8' },
  ],
  [
    'GitLab with a repository elsewhere',
    { GITLAB_CI: 'true', CI_EXTERNAL_PULL_REQUEST_IID: '1', CI_EXTERNAL_PULL_REQUEST_TARGET_REPOSITORY: 'team/app' },
    { CI_EXTERNAL_PULL_REQUEST_SOURCE_REPOSITORY: 'team/app' },
    { CI_EXTERNAL_PULL_REQUEST_SOURCE_REPOSITORY: 'stranger/app' },
  ],
  ['CircleCI', { CIRCLECI: 'true' }, { CIRCLE_PULL_REQUEST: 'https://…/1' }, { CIRCLE_PR_NUMBER: '1' }],
  [
    'Azure',
    { TF_BUILD: 'True', BUILD_REASON: 'PullRequest' },
    { SYSTEM_PULLREQUEST_ISFORK: 'False' },
    { SYSTEM_PULLREQUEST_ISFORK: 'True' },
  ],
  [
    'Buildkite',
    { BUILDKITE: 'true', BUILDKITE_PULL_REQUEST: '1', BUILDKITE_REPO: 'git@github.com:Team/app.git' },
    { BUILDKITE_PULL_REQUEST_REPO: 'git://github.com/team/app.git' },
    { BUILDKITE_PULL_REQUEST_REPO: 'git://github.com/stranger/app.git' },
  ],
  [
    'Travis',
    { TRAVIS: 'true', TRAVIS_PULL_REQUEST: '1', TRAVIS_REPO_SLUG: 'team/app' },
    { TRAVIS_PULL_REQUEST_SLUG: 'team/app' },
    { TRAVIS_PULL_REQUEST_SLUG: 'stranger/app' },
  ],
])('on %s a pull request from a fork reads only', (service, all, own, fork) => {
  expect(modeIn({ ...all, ...own })).toBe('read-write')
  expect(modeIn({ ...all, ...fork })).toBe('read')
  // CircleCI says nothing about other pull requests. All others say where the code comes from.
  expect(modeIn(all)).toBe(service === 'CircleCI' ? 'read-write' : 'read')
})

test('addresses of one repository are equal, however they are written', () => {
  const buildkite = { BUILDKITE: 'true', BUILDKITE_PULL_REQUEST: '1' }
  const own = ['https://git.example:8443/team/app', 'ssh://git@git.example:22/team/app.git', 'git@git.example:team/app']
  for (const from of own)
    for (const to of own)
      expect(modeIn({ ...buildkite, BUILDKITE_PULL_REQUEST_REPO: from, BUILDKITE_REPO: to })).toBe('read-write')
  for (const from of ['', 'x', 'https://other.example/team/app', 'https://git.example/team/app2', 'team/app'])
    expect(
      modeIn({ ...buildkite, BUILDKITE_PULL_REQUEST_REPO: from, BUILDKITE_REPO: 'git@git.example:team/app' }),
    ).toBe('read')
})

test('without credentials to write, a remote is read only; an option decides in any case', () => {
  const http = { url: 'https://cache.example/models' }
  const s3 = { url: 's3://bucket/models' }
  const env = { HOME: folder }
  expect(remoteMode(http, env)).toEqual({ mode: 'read', reason: expect.stringContaining('MODEL_CACHE_REMOTE_TOKEN') })
  expect(remoteMode(http, { ...env, MODEL_CACHE_REMOTE_USER: 'me' }).mode).toBe('read')
  expect(remoteMode(http, { MODEL_CACHE_REMOTE_USER: 'me', MODEL_CACHE_REMOTE_PASSWORD: 'x' }).mode).toBe('read-write')
  expect(remoteMode(s3, env)).toEqual({ mode: 'read', reason: expect.stringContaining('AWS_ACCESS_KEY_ID') })
  expect(remoteMode(s3, { ...env, AWS_ACCESS_KEY_ID: 'A' }).mode).toBe('read-write')
  expect(remoteMode(s3, { ...env, AWS_SHARED_CREDENTIALS_FILE: import.meta.filename }).mode).toBe('read-write')
  expect(remoteMode({ url: 'file:///mnt/share' }, env).mode).toBe('read-write')
  expect(remoteMode({}, env).mode).toBe('read-write')
  expect(remoteMode({ ...http, mode: 'read-write' }, { ...env, GITHUB_ACTIONS: 'true' }).mode).toBe('read-write')
  expect(remoteMode({ mode: 'read' }, env).mode).toBe('read')
})
