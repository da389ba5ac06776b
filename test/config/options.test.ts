import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { isAbsolute, join, resolve } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type Environment, warnOfUnknownVariables } from '../../src/config/environment-variables.ts'
import { resolveOptions } from '../../src/config/options.ts'
import { ModelCacheError } from '../../src/model/errors.ts'
import { defineRemote } from '../../src/remote/define-remote.ts'
import fc from '../support/property.ts'

const ROOT = resolve('/projects/app')
const GB = 2 ** 30
const DAY = 86_400_000

function options(input?: unknown, env: Environment = {}) {
  return resolveOptions(input, env, ROOT)
}

function refusal(input: unknown, env: Environment = {}): ModelCacheError {
  try {
    options(input, env)
  } catch (error) {
    if (error instanceof ModelCacheError) return error
    throw error
  }
  throw new Error('Nothing was refused')
}

describe('without options', () => {
  test('each option has its default', () => {
    expect(options()).toMatchObject({
      models: [],
      maxSize: 2 * GB,
      maxAge: 7 * DAY,
      warm: 'predicted',
      maintenance: 'background',
      mode: 'integration',
      offline: false,
      load: 'mapped',
      threads: 'shared',
      hub: { endpoint: 'https://huggingface.co', token: undefined, concurrency: 8 },
      providers: [],
      report: { outputFile: undefined, target: 0.8 },
      debug: false,
    })
    expect(options({})).toEqual(options(undefined))
  })

  test("the cache is the folder vitest-model-cache in the platform's cache folder", () => {
    const { cacheDir } = options()
    expect(isAbsolute(cacheDir)).toBe(true)
    expect(cacheDir).toMatch(/vitest-model-cache/)
  })
})

describe('an invalid option', () => {
  test.each<[string, unknown, string, string]>([
    ['maxSize', { maxSize: 'big' }, '"big"', 'a size such as "2GB"'],
    ['maxSize', { maxSize: -1 }, '-1', 'a size such as "2GB"'],
    ['maxSize', { maxSize: null }, 'null', 'a size such as "2GB"'],
    ['maxSize', { maxSize: 0 }, '0', 'a size such as "2GB" or "500MB", or a number of bytes; at least 1 byte'],
    ['maxSize', { maxSize: '0' }, '"0"', 'at least 1 byte'],
    ['maxSize', { maxSize: '0GB' }, '"0GB"', 'at least 1 byte'],
    ['maxSize', { maxSize: 0.5 }, '0.5', 'at least 1 byte'],
    ['maxSize', { maxSize: '-2GB' }, '"-2GB"', 'at least 1 byte'],
    ['maxAge', { maxAge: '7 days' }, '"7 days"', 'a duration such as "7d"'],
    ['preset', { preset: 'prod' }, '"prod"', '"dev" or "ci"'],
    ['mode', { mode: 'e2e' }, '"e2e"', '"integration" or "unit"'],
    ['maintenance', { maintenance: 'later' }, '"later"', '"background", "brief", "run" or "none"'],
    ['warm', { warm: 'used' }, '"used"', '"predicted", "declared", "all" or "none"'],
    ['offline', { offline: 'yes' }, '"yes"', 'true or false'],
    ['cacheDir', { cacheDir: '' }, '""', 'not empty'],
    ['cacheDir', { cacheDir: 5 }, '5', 'a string'],
    ['models', { models: 'org/name' }, '"org/name"', 'a list of models'],
    ['hub.endpoint', { hub: { endpoint: 'huggingface.co' } }, '"huggingface.co"', 'http or https URL'],
    ['hub.endpoint', { hub: { endpoint: 'ftp://hub' } }, '"ftp://hub"', 'http or https URL'],
    ['hub.endpoint', { hub: { endpoint: 5 } }, '5', 'http or https URL'],
    ['maxAge', { maxAge: Number.POSITIVE_INFINITY }, 'null', 'a duration such as "7d"'],
    ['maxAge', { maxAge: `${'9'.repeat(400)}` }, '"999', 'a duration such as "7d"'],
    ['cacheDir', { cacheDir: ['/cache'] }, '["/cache"]', 'a string'],
    ['mode', { mode: ['unit'] }, '["unit"]', '"integration" or "unit"'],
    ['hub.concurrency', { hub: { concurrency: 0 } }, '0', '1 to 64'],
    ['hub.concurrency', { hub: { concurrency: 65 } }, '65', '1 to 64'],
    ['hub.concurrency', { hub: { concurrency: 1.5 } }, '1.5', '1 to 64'],
    ['providers', { providers: './x.ts' }, '"./x.ts"', 'a list of module paths'],
    ['report', { report: true }, 'true', 'false, or an object'],
    [
      'remote',
      { remote: 'ftp://host/path' },
      '"ftp://host/path"',
      '"s3://bucket/prefix", "https://host/path" or "file:///mnt',
    ],
    ['remote', { remote: 'file:share' }, '"file:share"', 'an absolute path'],
    ['remote', { remote: 'file://share/models' }, '"file://share/models"', 'an absolute path'],
    ['remote', { remote: '/mnt/share' }, '"/mnt/share"', 'an absolute path'],
    ['remote', { remote: true }, 'true', 'what `defineRemote()` returns'],
    ['remote.url', { remote: { mode: 'read' } }, 'undefined', '"s3://bucket/prefix"'],
    ['remote.mode', { remote: { url: 'file:///mnt', mode: 'write' } }, '"write"', '"read" or "read-write"'],
    ['remote.timeout', { remote: { url: 'file:///mnt', timeout: 0 } }, '0', '"60s"'],
  ])('is refused with its name `%s`, its value and the accepted values: %j', (name, input, given, accepted) => {
    const error = refusal(input)
    expect(error.code).toBe('INVALID_OPTION')
    expect(error.asked).toContain(`\`${name}\``)
    expect(error.reason).toContain(given)
    expect(error.nextStep).toContain(accepted)
  })

  test('is refused and shown even if it cannot be written as JSON', () => {
    expect(refusal({ maxSize: 2n }).reason).toBe('It was set to 2.')
    expect(refusal({ hub: { concurrency: 8n } }).reason).toBe('It was set to 8.')
    expect(refusal({ cacheDir: Symbol('x') }).reason).toBe('It was set to Symbol(x).')
    expect(refusal({ models: [5n] })).toMatchObject({ code: 'INVALID_MODEL', asked: 'Model 5' })
    const loop: { mode?: unknown } = {}
    loop.mode = loop
    expect(refusal(loop).reason).toBe('It was set to [object Object].')
  })

  test.each([
    [{ cachedir: '/x' }, 'cachedir', 'cacheDir'],
    [{ model: ['org/name'] }, 'model', 'models'],
    [{ hub: { tokn: 'x' } }, 'hub.tokn', 'hub.token'],
    [{ report: { output_file: 'x' } }, 'report.output_file', 'report.outputFile'],
    [{ intercept: { host: [] } }, 'intercept.host', 'intercept.hosts'],
    [{ token: 'x' }, 'token', 'hub.token'],
    [{ remote: { url: 'file:///mnt', timout: '5s' } }, 'remote.timout', 'remote.timeout'],
  ])('is refused with the name that was probably meant if its name is unknown: %j', (input, name, meant) => {
    expect(refusal(input)).toMatchObject({
      code: 'INVALID_OPTION',
      asked: `Option \`${name}\` of modelCache()`,
      nextStep: `Did you mean \`${meant}\`?`,
    })
  })

  test('is refused with a list of the options if its name is not close to any option', () => {
    expect(refusal({ something: '/x' }).nextStep).toMatch(/`models`.*`cacheDir`.*`maxSize`.*`hub`/)
    expect(refusal({ hub: { url: 'https://hub' } })).toMatchObject({
      asked: 'Option `hub.url` of modelCache()',
      nextStep: expect.stringContaining('`hub.endpoint`'),
    })
  })

  test('is listed in one error with all other invalid options and variables', () => {
    const input = {
      model: [],
      maxSize: 'big',
      hub: { tokn: 'x', concurrency: 0 },
      models: [{ repo: 'a/b', dtyp: 'q8' }, ''],
    }
    const { code, message } = refusal(input, {
      MODEL_CACHE_MODE: 'units',
      MODEL_CACHE_DEBUG: 'x',
      MODEL_CACHE_OFFLINE: 'y',
    })
    expect(code).toBe('INVALID_OPTION')
    for (const part of ['`model`', '`maxSize`', '`hub.tokn`', '`hub.concurrency`', 'did you mean `dtype`?', 'Model ""'])
      expect(message).toContain(part)
    for (const name of ['MODE', 'DEBUG', 'OFFLINE']) expect(message).toContain(`MODEL_CACHE_${name}`)
    expect(message).toMatch(/^Settings of vitest-model-cache: 9 of them are wrong\. Correct these:\n/)
    expect(refusal({ models: ['', 'a/b/c'] }).code).toBe('INVALID_MODEL')
  })

  test('is refused if the options are not an object', () => {
    for (const input of ['org/name', 5, 5n, true, () => ({}), [], ['org/name'], [{ offline: true }]]) {
      const error = refusal(input)
      expect(error).toMatchObject({ code: 'INVALID_OPTION', asked: 'The options of modelCache()' })
      expect(error.nextStep).toContain('an object')
    }
  })

  test('is refused as INVALID_MODEL if a model is invalid', () => {
    expect(refusal({ models: ['org/name', 'a/b/c'] })).toMatchObject({
      code: 'INVALID_MODEL',
      asked: expect.stringContaining('a/b/c'),
    })
  })

  test.each<[string, string, string]>([
    ['MODEL_CACHE_MAX_SIZE', 'big', 'a size such as "2GB"'],
    ['MODEL_CACHE_MAX_AGE', 'long', 'a duration such as "7d"'],
    ['MODEL_CACHE_MODE', 'fast', '"integration" or "unit"'],
    ['MODEL_CACHE_LOAD', 'compiled', '"mapped" or "plain"'],
    ['MODEL_CACHE_OFFLINE', 'maybe', '1, true, 0 or false'],
    ['MODEL_CACHE_DEBUG', 'verbose', '1, true, 0 or false'],
    ['HF_ENDPOINT', 'huggingface.co', 'an http or https URL'],
    ['HF_ENDPOINT', 'ftp://hub', 'an http or https URL'],
    ['MODEL_CACHE_REMOTE', 'share', '"file:///mnt/share" (an absolute path)'],
  ])('is refused with the name of its environment variable: %s=%s', (name, value, accepted) => {
    const error = refusal({}, { [name]: value })
    expect(error.code).toBe('INVALID_OPTION')
    expect(error.asked).toContain(name)
    expect(error.reason).toContain(JSON.stringify(value))
    expect(error.nextStep).toContain(accepted)
  })

  test.each([
    'https://user@hub.example',
    'https://:s3cret@hub.example',
    'https://user:s3cret@hub.example',
    'https://hub.example/?token=s3cret',
    'https://hub.example/#s3cret',
  ])(
    'is refused if it is an endpoint with user name, query or fragment, which the error does not show: %s',
    (endpoint) => {
      const asOption = refusal({ hub: { endpoint } })
      const asVariable = refusal({}, { HF_ENDPOINT: endpoint })
      expect(asOption).toMatchObject({ code: 'INVALID_OPTION', asked: expect.stringContaining('`hub.endpoint`') })
      expect(asVariable).toMatchObject({ code: 'INVALID_OPTION', asked: 'Environment variable HF_ENDPOINT' })
      for (const error of [asOption, asVariable]) {
        expect(error.nextStep).toContain('without user name, query or fragment')
        expect(`${error.message} ${error.stack} ${JSON.stringify(error)}`).not.toMatch(/s3cret|user@/)
      }
    },
  )

  test.each([
    'https://user:s3cret@host/path',
    'https://host/path?sig=s3cret',
    'https://host/#s3cret',
    's3://:s3cret@b/p',
    's3://b/p?secretAccessKey=s3cret',
    's3://b/p?endpoint=https://user:s3cret@host',
  ])('is refused if it is the address of a remote with a secret, which the error does not show: %s', (url) => {
    for (const error of [
      refusal({ remote: url }),
      refusal({ remote: { url } }),
      refusal({}, { MODEL_CACHE_REMOTE: url }),
    ]) {
      expect(error.nextStep).toContain('without user name and password')
      expect(`${error.message} ${error.stack} ${JSON.stringify(error)}`).not.toContain('s3cret')
    }
  })

  test('is refused with an error that does not show a token', () => {
    const token = fc.stringMatching(/^hf_[A-Za-z0-9]{20,34}$/)
    const mistakes = [
      (hub: object) => ({ hub, maxSize: 'big' }),
      (hub: object) => ({ hub: { ...hub, concurrency: 0 } }),
      (hub: object) => ({ hub: { ...hub, endpoint: 'nowhere' } }),
      (hub: object) => ({ hub: { ...hub, another: 1 } }),
      (hub: object) => ({ hub: [hub] }),
      (hub: object) => ({ hub: Object.values(hub) }),
      (hub: object) => ({ hub: Object.values(hub)[0] }),
      (hub: object) => ({ hub: { token: hub } }),
      (hub: object) => ({ hub: { token: Object.values(hub) } }),
      (hub: object) => ({ hub: { access: Object.values(hub)[0] } }),
      (hub: object) => ({ hub, models: [''] }),
    ]
    fc.assert(
      fc.property(token, fc.constantFrom(...mistakes), (secret, mistake) => {
        const error = refusal(mistake({ token: secret }))
        expect(`${error.message} ${error.stack} ${JSON.stringify(error)}`).not.toContain(secret)
      }),
    )
  })
})

test('a warning lists unknown variables, with the names that were probably meant', () => {
  const known = { MODEL_CACHE_DIR: '/x', MODEL_CACHE_DEBUG: '1', VITEST_MODEL_CACHE_CHILD: 'x', MODEL_CACHE_EMPTY: ' ' }
  expect(warnOfUnknownVariables(known)).toBeUndefined()
  expect(warnOfUnknownVariables({ ...known, MODEL_CACHE_MAXSIZE: '1GB', MODEL_CACHE_FOLDER: '/x' })).toMatch(
    /MODEL_CACHE_MAXSIZE \(did you mean MODEL_CACHE_MAX_SIZE\?\), MODEL_CACHE_FOLDER\. The variables are MODEL_CACHE_DIR/,
  )
})

describe('precedence', () => {
  test('is environment, option, preset, default', () => {
    const env = { MODEL_CACHE_MAX_SIZE: '3GB', MODEL_CACHE_MAX_AGE: '1d' }
    const given = { maxSize: '4GB', maxAge: '2d' }
    expect(options({ ...given, preset: 'dev' }, env)).toMatchObject({ maxSize: 3 * GB, maxAge: DAY })
    expect(options({ ...given, preset: 'dev' })).toMatchObject({ maxSize: 4 * GB, maxAge: 2 * DAY })
    expect(options({ maxSize: '4GB', preset: 'dev' })).toMatchObject({ maxSize: 4 * GB, maxAge: 3 * DAY })
    expect(options({ preset: 'dev' })).toMatchObject({ maxSize: GB, maxAge: 3 * DAY })
    expect(options({ maxSize: '4GB' })).toMatchObject({ maxSize: 4 * GB, maxAge: 7 * DAY })
  })

  test('in CI, maintenance starts no process unless the project says so', () => {
    expect(options({}, { CI: '1' }).maintenance).toBe('brief')
    expect(options({ preset: 'ci' }).maintenance).toBe('brief')
    expect(options({ maintenance: 'background' }, { CI: '1' }).maintenance).toBe('background')
    expect(options({ maintenance: 'none' }, { MODEL_CACHE_MAINTENANCE: 'run' }).maintenance).toBe('run')
  })

  test('of the environment holds for mode, warm-up, loading, threads, folder and offline', () => {
    const own = { load: 'mapped', threads: 'shared', warm: 'all' }
    const given = { mode: 'integration', ...own, offline: false, cacheDir: '/option' }
    const env = {
      MODEL_CACHE_WARM: 'none',
      MODEL_CACHE_MODE: 'unit',
      MODEL_CACHE_OFFLINE: '1',
      MODEL_CACHE_DIR: '/variable',
    }
    const taken = {
      mode: 'unit',
      warm: 'none',
      load: 'plain',
      threads: 'as-is',
      offline: true,
      cacheDir: resolve('/variable'),
    }
    expect(options(given, { ...env, MODEL_CACHE_LOAD: 'plain', MODEL_CACHE_THREADS: 'as-is' })).toMatchObject(taken)
    expect(options({ ...given, offline: true }, { MODEL_CACHE_OFFLINE: '0' }).offline).toBe(false)
  })

  test('of the option hub.endpoint is higher than that of HF_ENDPOINT', () => {
    const env = { HF_ENDPOINT: 'https://mirror.example/hub/' }
    expect(options({}, env).hub.endpoint).toBe('https://mirror.example/hub')
    expect(options({ hub: { endpoint: 'https://own.example//' } }, env).hub.endpoint).toBe('https://own.example')
  })

  test('treats an empty or blank variable as unset', () => {
    const names = ['DIR', 'WARM', 'MODE', 'LOAD', 'THREADS', 'OFFLINE', 'MAX_SIZE', 'MAX_AGE', 'DEBUG'].map(
      (name) => `MODEL_CACHE_${name}`,
    )
    const blank = Object.fromEntries([...names, 'CI', 'HF_ENDPOINT', 'HF_HUB_OFFLINE'].map((name) => [name, ' ']))
    expect(options({}, blank)).toEqual(options())
  })
})

describe('the remote', () => {
  const address = 's3://bucket/prefix?endpoint=http://127.0.0.1:9000'
  const store = { get: async () => undefined, put: async () => undefined, has: async () => false }
  const settings = { mode: undefined, timeoutMs: 60_000, uploadPrivate: false }

  test('is an address, an object with settings, or a remote of your own', () => {
    expect(options().remote).toBeUndefined()
    expect(options({ remote: false }).remote).toBeUndefined()
    expect(options({ remote: address }).remote).toEqual({ ...settings, url: address })
    const given = { url: 'https://host/path', mode: 'read', timeout: '5m', uploadPrivate: true }
    const { url, mode, uploadPrivate } = given
    expect(options({ remote: given }).remote).toEqual({ url, mode, uploadPrivate, timeoutMs: 300_000 })
    expect(options({ remote: defineRemote(store) }).remote).toEqual({ ...settings, store })
    const incomplete: object = { get: store.get }
    expect(() => Reflect.apply(defineRemote, undefined, [incomplete])).toThrow(/`get`, `put` and `has`/)
  })

  test('has the address of MODEL_CACHE_REMOTE, which keeps the other settings; `off` is none', () => {
    const given = { url: address, mode: 'read', timeout: 1000 }
    const env = { MODEL_CACHE_REMOTE: 'file:///mnt/share' }
    const taken = { url: 'file:///mnt/share', mode: 'read', timeoutMs: 1000, uploadPrivate: false }
    expect(options({ remote: given }, env).remote).toEqual(taken)
    for (const remote of [false, undefined, store])
      expect(options({ remote }, env).remote).toEqual({ ...settings, url: 'file:///mnt/share' })
    expect(options({ remote: given }, { MODEL_CACHE_REMOTE: 'off' }).remote).toBeUndefined()
  })
})

test('a number without a unit is in bytes or milliseconds, even if it is written as a string', () => {
  expect(options({ maxSize: '500', maxAge: '250' })).toMatchObject({ maxSize: 500, maxAge: 250 })
  const env = { MODEL_CACHE_MAX_SIZE: '500', MODEL_CACHE_MAX_AGE: '250' }
  expect(options({}, env)).toMatchObject({ maxSize: 500, maxAge: 250 })
})

describe('the presets', () => {
  test('`ci` is used in CI if neither a limit nor a preset is given', () => {
    const ci = { maxSize: 5 * GB, maxAge: 30 * DAY }
    for (const value of ['true', '1', 'yes', 'github']) expect(options({}, { CI: value })).toMatchObject(ci)
    for (const value of ['', '0', 'false', 'FALSE']) expect(options({}, { CI: value }).maxSize).toBe(2 * GB)
    expect(options({ preset: 'ci' })).toMatchObject(ci)
  })

  test.each<[string, object, object, object]>([
    ['the option maxSize', { maxSize: '1MB' }, {}, { maxSize: 2 ** 20, maxAge: 7 * DAY }],
    ['the option maxAge', { maxAge: '1d' }, {}, { maxSize: 2 * GB, maxAge: DAY }],
    ['MODEL_CACHE_MAX_SIZE', {}, { MODEL_CACHE_MAX_SIZE: '1MB' }, { maxSize: 2 ** 20, maxAge: 7 * DAY }],
    ['MODEL_CACHE_MAX_AGE', {}, { MODEL_CACHE_MAX_AGE: '1d' }, { maxSize: 2 * GB, maxAge: DAY }],
    ['the preset `dev`', { preset: 'dev' }, {}, { maxSize: GB, maxAge: 3 * DAY }],
  ])('`ci` is not used in CI if %s is given', (_, input, env, limits) => {
    expect(options(input, { CI: 'true', ...env })).toMatchObject(limits)
  })

  test('`dev` is never the default', () => {
    for (const env of [{}, { CI: 'false' }, { NODE_ENV: 'development' }])
      expect(options({}, env)).toMatchObject({ maxSize: 2 * GB, maxAge: 7 * DAY })
  })
})

describe('switches', () => {
  test.each([
    ['1', true],
    ['true', true],
    ['TRUE', true],
    [' 1 ', true],
    ['0', false],
    ['false', false],
    ['False', false],
  ])('%j means %s', (value, meaning) => {
    const { offline, debug } = options({}, { MODEL_CACHE_OFFLINE: value, MODEL_CACHE_DEBUG: value })
    expect({ offline, debug }).toEqual({ offline: meaning, debug: meaning })
  })

  test('HF_HUB_OFFLINE is read as huggingface_hub reads it, and MODEL_CACHE_OFFLINE takes precedence', () => {
    for (const value of ['1', 'on', 'YES', 'true']) expect(options({}, { HF_HUB_OFFLINE: value }).offline).toBe(true)
    for (const value of ['0', 'off', 'whatever']) expect(options({}, { HF_HUB_OFFLINE: value }).offline).toBe(false)
    expect(options({}, { HF_HUB_OFFLINE: '1', MODEL_CACHE_OFFLINE: '0' }).offline).toBe(false)
  })
})

describe('paths', () => {
  test('of options are relative to the root, those of variables to the current folder', () => {
    expect(options({ cacheDir: 'cache/models' }).cacheDir).toBe(join(ROOT, 'cache', 'models'))
    expect(options({}, { MODEL_CACHE_DIR: 'models' }).cacheDir).toBe(join(process.cwd(), 'models'))
    expect(options({ report: { outputFile: 'out/report.json' } }).report).toEqual({
      outputFile: join(ROOT, 'out', 'report.json'),
      target: 0.8,
      summary: true,
    })
  })

  test('with a leading tilde are relative to the home folder', () => {
    expect(options({ cacheDir: '~/models' }).cacheDir).toBe(join(homedir(), 'models'))
    expect(options({ cacheDir: '~' }).cacheDir).toBe(homedir())
    expect(options({}, { MODEL_CACHE_DIR: '~/models' }).cacheDir).toBe(join(homedir(), 'models'))
    expect(options({ cacheDir: '~other' }).cacheDir).toBe(join(ROOT, '~other'))
  })
})

test('the lock file is that of the project, else that of the run, and makes the cache frozen in CI', async () => {
  const run = await mkdtemp(join(tmpdir(), 'a run '))
  onTestFinished(() => rm(run, { recursive: true }))
  const project = join(run, 'project')
  await mkdir(project)
  const chosen = (input: unknown = {}, env: Environment = {}) => {
    const { lockfile, frozen } = resolveOptions(input, env, project, run)
    return [lockfile, frozen]
  }
  const [own, shared] = [project, run].map((folder) => join(folder, 'models.lock.json'))
  // Projects without any lock file have equal settings, so they share a cache.
  expect(chosen({}, { CI: '1' })).toEqual([shared, false])
  await writeFile(shared ?? '', '{}')
  expect(chosen()).toEqual([shared, false])
  expect(chosen({}, { CI: '1' })).toEqual([shared, true])
  await writeFile(own ?? '', '{}')
  expect(chosen({}, { CI: '1' })).toEqual([own, true])
  expect(chosen({ frozen: false }, { CI: '1' })).toEqual([own, false])
  expect(chosen({ frozen: true }, { MODEL_CACHE_FROZEN: '0' })).toEqual([own, false])
  expect(chosen({}, { MODEL_CACHE_FROZEN: '1' })).toEqual([own, true])
  expect(chosen({ lockfile: 'locks/a.json' })).toEqual([join(run, 'locks/a.json'), false])
  expect(chosen({ lockfile: false }, { CI: '1' })).toEqual([undefined, false])
  expect(() => chosen({ lockfile: true })).toThrow('false, or a path such as "models.lock.json"')
})

test('the report can be turned off, its target can be set, and its summary in GitHub Actions can be turned off', () => {
  expect(options({ report: false }).report).toBe(false)
  expect(options({ report: { target: 1 } }).report).toEqual({ outputFile: undefined, target: 1, summary: true })
  expect(options({ report: { summary: false } }).report).toMatchObject({ target: 0.8, summary: false })
})

test('models are parsed and checked', () => {
  expect(options({ models: ['org/name@v1', { repo: 'org/other', pin: true }] }).models).toMatchObject([
    { repo: 'org/name', revision: 'v1', pin: false },
    { repo: 'org/other', revision: 'main', pin: true },
  ])
})
