import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, inject, test } from 'vitest'
import { configSource } from '../support/config-source.ts'
import { startModelsHub } from '../support/models-hub.ts'
import { ProjectFolder } from '../support/project-folder.ts'

const { env, hub } = await startModelsHub([])
hub.addRepo('org/tiny', { files: { 'config.json': '{}' } })

describe('after two runs', () => {
  let project: ProjectFolder
  let cli: (...args: string[]) => ReturnType<ProjectFolder['cli']>

  beforeAll(async () => {
    project = await ProjectFolder.create({
      packageDirectory: inject('packedPackage'),
      files: {
        'vitest.config.ts': configSource({ models: ['org/tiny'] }),
        'a.test.ts': `import { test } from 'vitest'; test('x', async ({ models }) => { await models.path('org/tiny') })`,
      },
    })
    cli = (...args) => project.cli(args, env)
    await project.vitest([], env)
    await project.vitest([], env)
    return () => project.remove()
  })

  test('stats shows the runs, the totals and the models, in 80 columns', async () => {
    const { stdout, exitCode } = await cli('stats')
    expect(exitCode).toBe(0)
    const lines = stdout.split('\n')
    expect(lines.every((line) => line.length <= 80)).toBe(true)
    expect(lines[1]).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d {2}100% {9}1 .* {2}-$/)
    expect(lines[2]).toMatch(/ {4}0% {9}1 .* {2}2 B {2}download .* org\/tiny$/)
    expect(stdout).toContain('2 runs, 2 requests, hit rate 50% · disk ×1 hub ×1')
    expect(stdout).toMatch(/org\/tiny +2\.0 +\d+s ago +2 B +.* a\.test\.ts/)
  })

  test('stats --json has the same figures', async () => {
    const { stdout } = await cli('stats', '--json', '--runs', '1')
    expect(JSON.parse(stdout)).toMatchObject({
      schemaVersion: 1,
      runs: [{ requests: 1, hits: 1, hitRate: 1, project: expect.stringMatching(/app$/) }],
      totals: { runs: 1, requests: 1, tiers: { disk: 1 } },
      models: [{ model: 'org/tiny', requests: 1, lastTestFile: 'a.test.ts' }],
      cache: { size: 2, entries: [{ model: 'org/tiny', bytes: 2, files: 1 }] },
    })
  })

  test('the record of a run has the files that each test file used, and when', async () => {
    const runs = join(project.cacheDir, 'runs')
    const [first = ''] = (await readdir(runs)).sort()
    expect(JSON.parse(await readFile(join(runs, first), 'utf8'))).toMatchObject({
      used: [{ repo: 'org/tiny', testFiles: ['a.test.ts'], files: ['config.json'] }],
      timeline: [
        { model: 'org/tiny', testFile: null, tier: 'hub', steps: { download: expect.any(Number) } },
        { model: 'org/tiny', testFile: 'a.test.ts', tier: 'disk', at: expect.any(Number) },
      ],
    })
  })

  test('report shows the last run again, as text, Markdown and JSON', async () => {
    const [text, above, markdown, json] = await Promise.all([
      cli('report'),
      project.shell(`"${process.execPath}" "${project.bin}" report`, env),
      cli('report', '--markdown'),
      cli('report', '--json'),
    ])
    expect(text.stdout).toMatch(/^ Run of [-: \d]+ \(UTC\)\n Model cache\n {2}1 request: 1 hit, 0 misses/)
    // In the folder above several projects, the report names the project.
    expect(above.stdout).toMatch(/^ Run of .* \(UTC\) in app\n Model cache\n/)
    expect(markdown.stdout).toContain('| org/tiny | disk ×1 | 2 B |')
    expect(JSON.parse(json.stdout)).toMatchObject({ schemaVersion: 1, requests: 1, hits: 1 })
  })

  test('report --html writes a page, without damaged records', async () => {
    const runs = join(project.cacheDir, 'runs')
    const [first = ''] = (await readdir(runs)).sort()
    await writeFile(join(runs, first.replace(/^[^.]*/, 'zzz')), '{"schemaVersion":1,"report":{"models":"none"}}')
    const { exitCode, output } = await cli('report', '--html', 'report.html')
    expect(exitCode, output).toBe(0)
    const page = await readFile(join(project.directory, 'report.html'), 'utf8')
    expect(page).toContain('The last 2 runs')
    expect(page).toContain('org/tiny')
  })

  test('another folder has no runs: exit code 0, or 1 when a document was asked for', async () => {
    await project.write({ '../elsewhere/package.json': '{ "type": "module" }' })
    const inElsewhere = (args: string) =>
      project.shell(
        `cd elsewhere && MODEL_CACHE_DIR='${project.cacheDir}' node ../app/node_modules/vitest-model-cache/dist/cli/main.js ${args}`,
      )
    const [text, json, stats, all] = await Promise.all(
      ['report', 'report --json', 'stats', 'stats --all'].map(inElsewhere),
    )
    expect(text).toMatchObject({ exitCode: 0, stderr: expect.stringContaining('No run has been recorded yet') })
    expect(json).toMatchObject({ exitCode: 1, stdout: '' })
    expect(stats).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('No run has been recorded yet') })
    expect(all?.stdout).toContain('2 runs, 2 requests')
  })

  test('a wrong call is refused', async () => {
    const calls = [
      ['stats', '--runs', '0'],
      ['report', '--json', '--markdown'],
      ['report', '--nope'],
    ]
    const results = await Promise.all(calls.map((args) => cli(...args)))
    for (const result of results) expect(result).toMatchObject({ exitCode: 2, stdout: '' })
  })
})
