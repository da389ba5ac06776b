import { mkdir, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { isAbsolute } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { thisProcess } from '../../src/cache/store/locks/owner.ts'
import { Cli, hasTerminals } from '../support/cli.ts'
import { Engine } from '../support/engine.ts'
import { type SketchedModel, writeCache } from '../support/many-models.ts'
import { canMount, mountMemory } from '../support/mount.ts'
import { removeFolder } from '../support/remove-folder.ts'

const MODELS: SketchedModel[] = [
  { repo: 'Xenova/bert', files: { 'config.json': '{}', 'onnx/model.onnx': 'w'.repeat(5_000) }, idleDays: 1, hits: 7 },
  { repo: 'Xenova/whisper', files: { 'config.json': '{}' }, idleDays: 20 },
  { repo: 'org/pinned', files: { 'weights.bin': 'p'.repeat(9_000) }, idleDays: 30, pinned: true },
]

let engine: Engine
let cli: Cli

beforeEach(async () => {
  engine = await Engine.start(onTestFinished)
  cli = new Cli(engine)
})

async function repos(): Promise<string[]> {
  return (await engine.open().list()).map(({ repo }) => String(repo))
}

describe('reading commands', () => {
  beforeEach(() => writeCache(engine.cacheDir, MODELS))

  test('show where the cache is and what says so, how full and how old it is, and who uses it', async () => {
    const run = engine.open({ run: { id: 'live', pid: process.pid } })
    await run.claim(...(await run.find('Xenova/bert')))
    for (const [index, hits] of [1, 3].entries())
      await run.recordRun({
        ...{
          schemaVersion: 1,
          id: `${index}run-1-a-1-0`,
          startedAt: '2026-01-01T00:00:00.000Z',
          project: '/app',
          used: [],
        },
        report: { requests: 4, hits, misses: 4 - hits },
      })
    const [text, json] = await Promise.all([cli.run('status'), cli.json(0, 'info', '--quiet')])
    expect(text.stdout).toContain(`${engine.cacheDir} (by MODEL_CACHE_DIR)`)
    expect(text.stdout).toMatch(/models +3, 1 pinned · 4 files/)
    expect(text.stdout).toMatch(/hit rate +75% \(3 of 4\) in the last run · 50% \(4 of 8\) in the last 2/)
    expect(text.stdout).toMatch(/in use +1 model by 1 live run/)
    expect(json).toMatchObject({
      ...{ schemaVersion: 1, from: 'MODEL_CACHE_DIR', directory: engine.cacheDir, bytes: 14_004, models: 3, pinned: 1 },
      ...{ oldest: { model: 'org/pinned' }, newest: { model: 'Xenova/bert' }, leases: { runs: 1, models: 1 } },
      ...{ lastRun: { hitRate: 0.75 }, lastRuns: { runs: 2, hitRate: 0.5 }, disk: { freeBytes: expect.any(Number) } },
    })
    await run.endRun()
  })

  test('list models by pattern, filter and column, without shortened names when piped', async () => {
    const [text, json, none] = await Promise.all([
      cli.run('ls', '--sort', 'size'),
      cli.json(0, 'list', 'xenova/*', '--filter', 'accessed>7d', '--files'),
      cli.run('ls', '--filter', 'size>1GB'),
    ])
    expect(text.stdout.split('\n').map((line) => line.split(/ {2,}/)[0])).toEqual([
      ...['model', 'org/pinned', 'Xenova/bert', 'Xenova/whisper'],
      `3 models, 4 files, 13.7 KiB in ${engine.cacheDir}`,
    ])
    expect(text.stdout).toMatch(/^model +revision +commit +size +files +used +age +hits +pinned$/m)
    expect(text.stdout).toMatch(/^Xenova\/bert +main +[0-9a-f]{7} +4.88 KiB +2 +1d +1d +7$/m)
    expect(json).toMatchObject({
      ...{ directory: engine.cacheDir, bytes: 2 },
      models: [{ repo: 'Xenova/whisper', bytes: 2, files: 1, paths: [{ path: 'config.json' }] }],
    })
    expect((await cli.run('ls', 'Xenova/bert')).stdout).toContain('1 of 3 models, 2 files, 4.88 KiB in ')
    expect(none).toMatchObject({ exitCode: 0, stdout: '', stderr: 'No model matches.' })
  })

  test('print only a path, and download nothing', async () => {
    engine.hub.addRepo('org/there', { files: { 'config.json': '{}' } })
    const [file, folder, absent, unknown] = await Promise.all([
      cli.run('path', 'Xenova/bert', 'onnx/model.onnx'),
      cli.run('path', 'org/pinned'),
      cli.run('path', 'Xenova/bert', 'tokenizer.json'),
      cli.run('path', 'org/there'),
    ])
    expect([file.exitCode, isAbsolute(file.stdout)]).toEqual([0, true])
    expect(await readFile(file.stdout, 'utf8')).toBe('w'.repeat(5_000))
    expect(await readdir(folder.stdout)).toEqual(['weights.bin'])
    expect([absent.exitCode, absent.stdout, unknown.exitCode, unknown.stdout]).toEqual([1, '', 2, ''])
    expect(absent.stderr).toContain('ls Xenova/bert --files')
    expect(engine.hub.requests).toEqual([])
  })

  test('print the path of `main` when a model has several commits, whichever was used last', async () => {
    const repository = engine.hub.addRepo('org/moving', { files: { 'config.json': '{"version":1}' } })
    const before = repository.commit
    repository.addCommit({ files: { 'config.json': '{"version":2}' } })
    for (const revision of ['main', before]) await engine.open().get(`org/moving@${revision}`)
    const { stdout } = await cli.run('path', 'org/moving', 'config.json')
    expect(await readFile(stdout, 'utf8')).toBe('{"version":2}')
  })

  test('verify all models or some, name wrong files, and repair them with --repair', async () => {
    engine.hub.addRepo('org/real', { files: { 'config.json': '{"real":1}', 'vocab.txt': 'words' } })
    const model = await engine.open().get('org/real')
    await rm(model.file('vocab.txt'))
    const [wrong, other] = await Promise.all([cli.run('verify', 'org/*'), cli.json(0, 'verify', 'Xenova/*')])
    expect(wrong.exitCode).toBe(1)
    expect(wrong.stdout.split('\n')).toEqual([
      '✗ org/real  vocab.txt: missing',
      expect.stringMatching(/^1 of 3 files is wrong \(2 models, 8\.\d+ KiB, in .*\/s\)$/),
      'No wrong file is served. A wrong file is downloaded again when it is next needed, or now by `verify --repair`.',
    ])
    expect((await cli.run('verify', 'Xenova/*')).stdout).toMatch(
      /^✓ 3 files verified: each is what the Hub stated \(2 models/,
    )
    expect(other).toMatchObject({ models: 2, files: 3, problems: [] })
    const repaired = await cli.json(0, 'verify', 'org/real', '--repair')
    expect(repaired.problems).toMatchObject([{ path: 'vocab.txt', what: 'missing', isRepaired: true }])
    expect(await readFile(model.file('vocab.txt'), 'utf8')).toBe('words')
  })
})

test('file names with control characters or CI commands are printed with escapes, and unchanged in JSON', async () => {
  const names = ['##[error]it was hacked', 'a\u009b2J.txt', '\u202egpj.exe']
  engine.hub.addRepo('org/hostile', { files: Object.fromEntries(names.map((name) => [name, name])) })
  const model = await engine.open().get({ repo: 'org/hostile', files: ['**'] })
  for (const name of names) await rm(model.file(name))
  const [listed, verified, document, path] = await Promise.all([
    cli.run('ls', '--files'),
    cli.run('verify'),
    cli.run('ls', '--files', '--json'),
    cli.run('path', 'org/hostile', 'a\u009b2J.txt'),
  ])
  for (const { stdout, stderr } of [listed, verified, document, path])
    for (const raw of ['##[', '\u009b', '\u202e', '\u001b']) expect(stdout + stderr).not.toContain(raw)
  for (const { stdout } of [listed, verified])
    for (const shown of ['##\\[error]it was hacked', 'a\\u009b2J.txt', '\\u202egpj.exe'])
      expect(stdout).toContain(shown)
  const [{ paths }] = JSON.parse(document.stdout).models
  expect(paths.map(({ path }: { path: string }) => path).sort()).toEqual([...names].sort())
})

describe('changing commands', () => {
  beforeEach(() => writeCache(engine.cacheDir, MODELS))

  test('ask for confirmation, and need --yes without a terminal', async () => {
    const [refused, planned] = await Promise.all([cli.run('rm', 'Xenova/*'), cli.run('prune', '--dry-run')])
    expect(refused).toMatchObject({
      exitCode: 2,
      stderr: expect.stringMatching(/Xenova\/bert.*--yes.*Nothing was changed/s),
    })
    expect(planned.stdout).toMatch(/Would remove Xenova\/bert.*Kept org\/pinned at \w+: pinned.*Would free up to/s)
    expect(await repos()).toHaveLength(3)
    const removed = await cli.json(0, 'remove', 'Xenova/*', '-y')
    expect(removed).toMatchObject({ dryRun: false, freedBytes: 5_004 })
    expect(await repos()).toEqual(['org/pinned'])
  })

  test.skipIf(!hasTerminals)('say that nothing was changed when the user refuses', async () => {
    const [refused, ended] = await Promise.all([
      cli.atTerminal('n\n', 'rm', 'Xenova/bert'),
      cli.atTerminal('\u0004', 'clean'),
    ])
    for (const { exitCode, screen } of [refused, ended]) {
      expect(screen).toMatch(/\? \[y\/N\] \s*Not confirmed: nothing was changed\.\s*$/)
      expect(exitCode).toBe(1)
    }
    expect(await repos()).toHaveLength(3)
    const confirmed = await cli.atTerminal('y\n', 'rm', 'Xenova/bert')
    expect(confirmed).toMatchObject({ exitCode: 0, screen: expect.stringContaining('Removed Xenova/bert') })
  })

  test('do their work and print no result with --quiet; --verbose prints each decision', async () => {
    const verbose = await cli.run('--verbose', 'warm', 'Xenova/bert')
    expect(verbose.stderr).toMatch(/Xenova\/bert/)
    const quiet = await cli.run('rm', 'Xenova/*', '--yes', '-q')
    expect(quiet).toEqual({ exitCode: 0, stdout: '', stderr: '' })
    expect(await repos()).toEqual(['org/pinned'])
    const failed = await cli.run('warm', 'org/nothing', '-q')
    expect(failed).toMatchObject({ exitCode: 1, stdout: '', stderr: expect.stringContaining('org/nothing') })
  })

  test('clean by age, and keep pinned models until they are unpinned', async () => {
    const cleaned = await cli.json(0, 'clean', '--older-than', '7d', '--yes')
    expect(cleaned).toMatchObject({
      removed: [{ repo: 'Xenova/whisper' }],
      kept: [{ repo: 'org/pinned', why: 'pinned' }],
    })
    expect((await cli.run('unpin', 'org/pinned')).stdout).toMatch(/org\/pinned at \w+ is not pinned now/)
    expect(await cli.json(0, 'pin', 'Xenova/bert')).toMatchObject({ pinned: true, changed: [{ repo: 'Xenova/bert' }] })
    expect((await cli.run('clean', '--yes')).stdout).toMatch(
      /Removed org\/pinned.*Kept Xenova\/bert.*Freed 8.79 KiB: 1 model/s,
    )
    expect(await repos()).toEqual(['Xenova/bert'])
  })

  test('optimize without a question, and print only what was done', async () => {
    const steps = await cli.json(0, 'optimize')
    expect(steps).toMatchObject({
      expired: [{ repo: 'Xenova/whisper' }],
      evicted: [],
      modelBytes: 2,
      linked: { files: 0 },
    })
    expect((await cli.run('optimize')).stdout).toBe('There is nothing to free.')
    await removeFolder(engine.cacheDir)
    await writeCache(engine.cacheDir, MODELS)
    const incomplete = engine.inCache('incoming', `${'0'.repeat(64)}.1-${'0'.repeat(12)}.incomplete`)
    await writeFile(incomplete, 'half')
    await utimes(incomplete, 0, 0)
    const [planned, done] = [await cli.run('optimize', '--dry-run'), await cli.run('optimize')]
    expect(planned.stdout.split('\n')).toEqual([
      expect.stringMatching(/^Would remove Xenova\/whisper at \w{7}: not used for longer than `maxAge`$/),
      'Would remove 1 file of unfinished downloads: 4 B',
      'Would free 6 B',
    ])
    expect(done.stdout.split('\n')).toEqual([
      expect.stringMatching(/^Removed Xenova\/whisper at \w{7}: not used for longer than `maxAge`$/),
      'Removed 1 file of unfinished downloads: 4 B',
      'Freed 6 B',
    ])
  })

  test('warm the named models, and name those that failed', async () => {
    engine.hub.addRepo('org/real', { files: { 'config.json': '{}' } })
    const result = await cli.run('warm', 'org/real', 'org/nothing')
    expect(result).toMatchObject({ exitCode: 1, stdout: expect.stringMatching(/^✓ org\/real {2}2 B, downloaded in/) })
    expect(result.stderr).toMatch(/✗ Model org\/nothing.*1 of 2 models failed: org\/nothing/s)
    const [matching, none] = await Promise.all([cli.run('warm', 'ORG/r*'), cli.run('warm', 'nobody/*')])
    expect(matching).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^✓ org\/real .*$/) })
    expect(none).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/Models nobody\/\*: No model .* matches/) })
    expect(JSON.stringify(engine.hub.requests)).not.toContain('nobody')
  })
})

describe('a wrong call changes nothing and has exit code 2', () => {
  const WRONG: [string[], RegExp][] = [
    [['sttus'], /unknown command 'sttus'.*Did you mean status/s],
    [['lst'], /unknown command 'lst'. Did you mean (ls|list)\?/],
    [
      ['clean', '--expred', '-yz', '--older-than', '7', '--unused', 'x', '--pined'],
      /'--expred'. Did you mean --expired\?\n.*'-z'\n.*'--older-than <duration>' argument '7'.*7d, 12h.*\n.*'x'.*1 to 999.*\n.*Did you mean --pinned\?\n.*clean --help/,
    ],
    [['run', '--cache-info', 'a.test.ts', '--reporter=dot'], /run --cache-info a.test.ts -- --reporter=dot/],
    [['ls', '--sort', 'x', '--filter', 'y', '--filter', 'z'], /3 of them are wrong\. .*--sort x.*"y".*"z"/s],
    [['ls', '-q', '-v'], /'-q, --quiet' cannot be used with option '-v, --verbose'/],
    [['ls', 'a', 'b'], /too many arguments: b/],
    [['ls', '--sort', 'colour'], /--sort colour.*model, revision/],
    [['ls', '--filter', 'size~5'], /Filter "size~5"/],
    [['rm', 'not a model', '--yes'], /not a repo id/],
    [['path'], /missing required argument 'model'/],
    [['path', 'Xenova/*'], /matches 2 models: Xenova\/bert, Xenova\/whisper/],
    // An unset variable of a script must not mean the user's default folder.
    [['clean', '--yes', '--cache-dir', ''], /'--cache-dir <folder>'.*Write the name of a folder/],
  ]

  test('if a command, an option, a value or a model is wrong', async () => {
    await writeCache(engine.cacheDir, MODELS)
    const results = await Promise.all(WRONG.map(([args]) => cli.run(...args)))
    const shown = results.map(({ exitCode, stdout, stderr }, index) => ({
      args: WRONG[index]?.[0],
      exitCode,
      stdout,
      stderr,
    }))
    expect(shown).toEqual(
      WRONG.map(([args, message]) => ({ args, exitCode: 2, stdout: '', stderr: expect.stringMatching(message) })),
    )
    expect(await repos()).toHaveLength(3)
  })

  test.each([
    ['a folder of something else', 'notes.txt', 'mine', /no cache.json/],
    ['a newer cache', 'cache.json', '{"format":2}', /format 1.*Update vitest-model-cache/],
  ])('on %s', async (_, name, content, message) => {
    await writeCache(engine.cacheDir, MODELS)
    await rm(engine.inCache('cache.json'))
    await writeFile(engine.inCache(name), content)
    const before = await engine.listing()
    const calls = [['status'], ['warm', 'org/x'], ['clean', '--yes']]
    for (const { exitCode, stderr } of await Promise.all(calls.map((args) => cli.run(...args)))) {
      expect(stderr).toMatch(message)
      expect(exitCode).toBe(2)
    }
    expect(await engine.listing()).toEqual(before)
  })
})

test('an absent folder is an empty cache, and is not created', async () => {
  const [status, list, clean, optimized, verified] = await Promise.all([
    cli.json(0, 'status'),
    cli.json(0, 'ls'),
    cli.run('clean', '--yes'),
    cli.run('optimize'),
    cli.run('verify'),
  ])
  expect(status).toMatchObject({ bytes: 0, models: 0, lastRun: null, oldest: null })
  expect(list.models).toEqual([])
  expect(optimized.stdout).toBe('There is nothing to free.')
  expect(verified.stdout).toBe(`There is no model to verify in ${engine.cacheDir}.`)
  expect(clean).toMatchObject({ exitCode: 0, stdout: 'There is nothing to remove.' })
  await expect(stat(engine.cacheDir)).rejects.toThrow(/ENOENT/)
})

test.skipIf(!canMount)('an error of the disk is printed with advice, and commands that only read go on', async () => {
  const disk = mountMemory(engine.cacheDir, 5)
  onTestFinished(disk.unmount)
  await writeCache(engine.cacheDir, MODELS)
  // No process has this number.
  await mkdir(engine.inCache('leases'))
  const lease = { ...thisProcess(), pid: 2 ** 30, entries: [] }
  await writeFile(engine.inCache('leases/dead.1-0.json'), JSON.stringify(lease))
  await writeFile(engine.inCache('other'), Buffer.alloc(6 * 2 ** 20)).catch(() => undefined)
  const calls = [
    ['pin', 'org/pinned', 'Xenova/bert'],
    ['clean', '--yes'],
    ['rm', 'Xenova/bert', '--yes'],
  ]
  for (const { exitCode, stderr } of await Promise.all(calls.map((args) => cli.run(...args)))) {
    expect(stderr).toMatch(
      /^The command ended before it was done: ENOSPC.*Check the permissions and the disk.*\[ENOSPC\]$/,
    )
    expect(exitCode).toBe(1)
  }
  disk.makeReadOnly()
  expect(await cli.json(0, 'status')).toMatchObject({ models: 3, leases: { runs: 0 } })
})

test('a reader that stops early, such as `head -1`, causes no error', async () => {
  await writeCache(engine.cacheDir, MODELS)
  engine.hub.addRepo('org/real', { files: { 'config.json': '{}' } })
  const calls = [['status'], ['ls', '--files'], ['verify'], ['warm', 'org/real'], ['--help'], ['stats']]
  const results = await Promise.all(calls.map((args) => cli.intoClosedPipe(...args)))
  expect(results).toEqual(calls.map(() => ({ exitCode: 0, stderr: '' })))
  // Here Vitest has no project: that is its 1.
  expect(await cli.intoClosedPipe('doctor')).toEqual({ exitCode: 1, stderr: '' })
  expect(await cli.intoClosedPipe('clean', '--yes')).toEqual({ exitCode: 0, stderr: '' })
  expect(await repos()).toEqual(['org/pinned'])
})

test('--help describes a command, its exit codes and an example', async () => {
  const { exitCode, stdout } = await cli.run('clean', '--help')
  expect(exitCode).toBe(0)
  expect(stdout).toMatch(/--older-than.*Example: npx vitest-model-cache clean.*Exit codes: 0 done, 1/s)
})

test.skipIf(!hasTerminals)(
  'a download at a terminal has a bar with the rate and the time left, in 80 columns',
  async () => {
    engine.hub.addRepo('organisation/a-model-with-a-rather-long-name', {
      files: { 'weights.bin': 'w'.repeat(4_000_000) },
    })
    engine.hub.throttle({ total: 1_500_000 })
    const { exitCode, screen } = await cli.atTerminal('', 'warm', 'organisation/a-model-with-a-rather-long-name')
    expect(exitCode, screen).toBe(0)
    expect(screen).toMatch(/ [█░]{10} \d+% [\d.]+ of 3\.81 MiB · [\d.]+ MiB\/s · [\d.]+ (m?s|s) left/)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the terminal's own codes
    const frames = screen.split(/\u001b\[[\d;?]*[A-Za-z]|[\r\n]/).filter((frame) => frame.includes('%'))
    for (const frame of frames) expect(frame.length).toBeLessThan(80)
  },
)

test('only a terminal gets colours, unless FORCE_COLOR is set', async () => {
  const colored = new Cli(engine, { FORCE_COLOR: '1' })
  const code = '\u001b['
  expect((await cli.run('status')).stdout).not.toContain(code)
  expect((await colored.run('status')).stdout).toContain(code)
})
