import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { matchEntries } from '../../src/cache/find.ts'
import { parseRepoId } from '../../src/model/repo-id.ts'
import { Engine, refusalOf } from '../support/engine.ts'
import { entryWith } from '../support/entry.ts'
import { cases, hostileText, tolerated } from '../support/fuzz.ts'
import fc from '../support/property.ts'

const REPOS = ['Xenova/bert', 'Xenova/whisper-tiny', 'org/whisper-small', 'deadbeef']

let engine: Engine

beforeEach(async () => {
  engine = await Engine.start(onTestFinished)
  for (const repo of REPOS) engine.hub.addRepo(repo, { files: { 'config.json': `{"${repo}":1}` } })
  for (const repo of REPOS) await engine.open().get(repo)
})

async function found(...names: string[]): Promise<string[]> {
  return (await engine.open().find(...names)).map(({ repo }) => repo).sort()
}

describe('a name', () => {
  test('finds the model with this name, once', async () => {
    expect(await found('Xenova/bert')).toEqual(['Xenova/bert'])
    expect(await found('Xenova/bert', 'Xenova/bert@main', 'Xenova/*')).toEqual(['Xenova/bert', 'Xenova/whisper-tiny'])
  })

  test('may be a glob in upper or lower case, whose star also matches slashes', async () => {
    expect(await found('xenova/*')).toEqual(['Xenova/bert', 'Xenova/whisper-tiny'])
    expect(await found('*whisper*')).toEqual(['Xenova/whisper-tiny', 'org/whisper-small'])
    expect(await found('{org,Xenova}/whisper-*')).toEqual(['Xenova/whisper-tiny', 'org/whisper-small'])
    expect(await found('*')).toEqual([...REPOS].sort())
  })

  test('may be the first digits of a commit, of at least four', async () => {
    const [entry] = await engine.open().find('Xenova/bert')
    const commit = entry?.commit ?? ''
    expect(await found(commit.slice(0, 12))).toEqual(['Xenova/bert'])
    expect(await found(`Xenova/bert@${commit.slice(0, 6)}`)).toEqual(['Xenova/bert'])
    expect(await refusalOf(engine.open().find(`Xenova/*@${'0'.repeat(12)}`))).toMatchObject({ code: 'MODEL_NOT_FOUND' })
  })

  test('of a repo has precedence over a commit with the same first digits', async () => {
    expect(await found('deadbeef')).toEqual(['deadbeef'])
  })

  test('that matches several commits is refused, and the commits are listed', async () => {
    const commit = 'abcd'.padEnd(40, '0')
    for (const repo of ['Xenova/bert', 'org/whisper-small']) await engine.setRecord(repo, recordAt(repo, commit))
    expect(await refusalOf(engine.open().find('abcd'))).toMatchObject({
      code: 'INVALID_MODEL',
      reason: expect.stringMatching(/Xenova\/bert@abcd00000000, org\/whisper-small@abcd00000000/),
    })
    expect(await found('org/whisper-small@abcd')).toEqual(['org/whisper-small'])
  })

  test('that matches nothing is refused, also together with other names', async () => {
    for (const name of ['org/nothing', 'nobody/*', 'ffff', 'Xenova/bert@dev'])
      expect(await refusalOf(engine.open().find('Xenova/bert', name))).toMatchObject({
        code: 'MODEL_NOT_FOUND',
        asked: `Model ${name}`,
      })
  })

  test('is accepted or refused, for any text', async () => {
    const cache = engine.open()
    const near = fc.array(
      fc.constantFrom('X', 'e', '/', '*', '@', '[', '{', '(', '!', ',', '}', ')', ']', 'abcd', '..'),
    )
    const name = fc.oneof(
      near.map((parts) => parts.join('')),
      hostileText,
    )
    await fc.assert(
      fc.asyncProperty(name, async (text) => void (await tolerated(cache.find(text)))),
      cases(400),
    )
  })
})

function recordAt(repo: string, commit: string) {
  return { commit, originalURL: `${engine.hub.url}/${repo}/tree/${commit}` }
}

test('a pattern finds the entry of its own name, and a star finds every entry', () => {
  const part = fc.stringMatching(/^[A-Za-z][A-Za-z0-9]{0,8}$/)
  const property = fc.property(part, part, (org, name) => {
    const entry = entryWith({ repo: parseRepoId(`${org}/${name}`) })
    for (const pattern of [`${org}/${name}`, `${org}/*`, `*/${name}`, '*', `${org.toLowerCase()}/*`])
      expect(matchEntries(pattern, [entry])).toEqual([entry])
    expect(matchEntries(`${org}x/*`, [entry])).toEqual([])
  })
  fc.assert(property, cases(300))
})
