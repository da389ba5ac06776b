import { chmod, link, lstat, mkdtemp, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { showReport } from '../../src/run/end/show-report.ts'
import { removeFolder } from '../support/remove-folder.ts'
import { REPORT } from '../support/reports.ts'

const SETTINGS = { target: 0.8, summary: true }
let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shown report '))
  vi.stubEnv('GITHUB_ACTIONS', undefined)
  vi.stubEnv('GITHUB_STEP_SUMMARY', undefined)
  onTestFinished(async () => {
    vi.unstubAllEnvs()
    await removeFolder(folder)
  })
})

async function shown(settings: Parameters<typeof showReport>[2], report = REPORT) {
  const [printed, notes]: [string[], string[]] = [[], []]
  const output = {
    ...{ color: false, columns: 120 },
    print: (text: string) => void printed.push(...text.split('\n')),
    note: (text: string) => void notes.push(text),
  }
  await showReport(output, report, settings)
  return { printed, notes, warnings: printed.filter((line) => line.startsWith('::')) }
}

function inGitHub(file = 'summary.md'): string {
  const summary = join(folder, file)
  vi.stubEnv('GITHUB_ACTIONS', 'true')
  vi.stubEnv('GITHUB_STEP_SUMMARY', summary)
  return summary
}

test('of several projects the highest target counts, and each file is written', async () => {
  const files = ['one.json', 'deep/two.json'].map((name) => join(folder, name))
  const settings = [0.5, 0.9].map((target, index) => ({ ...SETTINGS, target, outputFile: files[index] }))
  const { printed } = await shown(settings)
  expect(printed.join('\n')).toContain('hit rate 75% (target 90%)')
  for (const file of files) expect(JSON.parse(await readFile(file, 'utf8'))).toEqual(REPORT)
})

test('a file that can not be written is no reason to leave out the others', async () => {
  const [bad, good] = [join(folder, 'good.json', 'below-a-file.json'), join(folder, 'good.json')]
  const outputFiles = [good, bad, join(folder, 'other.json')]
  const { notes } = await shown(outputFiles.map((outputFile) => ({ ...SETTINGS, outputFile })))
  expect(notes).toEqual([expect.stringContaining('The report could not be written')])
  expect(JSON.parse(await readFile(join(folder, 'other.json'), 'utf8'))).toEqual(REPORT)
})

test('a file is replaced by a whole one, and what is no plain file keeps its place', async () => {
  const at = (name: string) => join(folder, name)
  const [file, old, away, linked] = [at('report.json'), at('old.json'), at('away.json'), at('linked.json')] as const
  for (const path of [file, away]) await writeFile(path, 'before')
  await chmod(file, 0o664)
  await link(file, old)
  await symlink(away, linked)
  const { notes } = await shown(
    [file, linked, at('new/report.json')].map((outputFile) => ({ ...SETTINGS, outputFile })),
  )
  expect(notes).toEqual([])
  // Who reads the file meanwhile has all of the report before.
  expect(await readFile(old, 'utf8')).toBe('before')
  for (const path of [file, linked]) expect(JSON.parse(await readFile(path, 'utf8'))).toEqual(REPORT)
  expect((await lstat(file)).mode & 0o777).toBe(0o664)
  expect((await lstat(linked)).isSymbolicLink()).toBe(true)
  expect((await readdir(folder)).sort()).toEqual(['away.json', 'linked.json', 'new', 'old.json', 'report.json'])
})

test('GitHub gets a summary, one after the other, and warnings', async () => {
  const summary = inGitHub()
  expect((await shown([SETTINGS])).warnings).toHaveLength(1)
  await shown([SETTINGS])
  expect((await readFile(summary, 'utf8')).match(/^### Model cache$/gm)).toHaveLength(2)
})

test.each([
  ['one project wants none', [SETTINGS, { ...SETTINGS, summary: false }], REPORT],
  ['no model was asked for', [SETTINGS], { ...REPORT, requests: 0, hitRate: null, models: [] }],
])('GitHub gets neither where %s', async (_, settings, report) => {
  const summary = inGitHub()
  expect((await shown(settings, report)).warnings).toEqual([])
  await expect(readFile(summary, 'utf8')).rejects.toMatchObject({ code: 'ENOENT' })
})

test('elsewhere there are no warnings for GitHub', async () => {
  expect((await shown([SETTINGS])).warnings).toEqual([])
})

test('a summary that can not be written is noted', async () => {
  inGitHub('no-such-folder/summary.md')
  expect((await shown([SETTINGS])).notes).toEqual([expect.stringContaining('could not be written')])
})
