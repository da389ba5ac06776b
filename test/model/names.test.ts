import { join, relative, resolve, sep, win32 } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ModelCacheError } from '../../src/model/errors.ts'
import { type HubPath, isWritable, parseHubPath } from '../../src/model/hub-path.ts'
import { modelNameOf, parseRepoId } from '../../src/model/repo-id.ts'
import { isCommit, parseCommit, parseRevision } from '../../src/model/revision.ts'
import fc from '../support/property.ts'

function codeOf(parse: () => unknown): string {
  try {
    parse()
  } catch (error) {
    if (error instanceof ModelCacheError) return error.code
    throw error
  }
  return 'accepted'
}

/** Texts that an attacker might try, and random texts. */
const nasty = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc
    .array(
      fc.constantFrom('..', '.', '', 'a', 'con', 'C:', '\\', '\0', '~', ' ', 'a.', '%2e%2e', '..;', '…', 'b.json'),
      {
        maxLength: 8,
      },
    )
    .chain((parts) => fc.constantFrom('/', '\\', '').map((separator) => parts.join(separator))),
)

function accepted(text: string): HubPath | undefined {
  try {
    return parseHubPath(text, 'a test')
  } catch {
    return undefined
  }
}

describe('a repo id', () => {
  test.each(['gpt2', 'org/name', 'a/b', 'Org-1/name_2.3', `${'a'.repeat(47)}/${'b'.repeat(48)}`, '__proto__', '0/0'])(
    'can be %s',
    (text) => {
      expect(parseRepoId(text)).toBe(text)
    },
  )

  test.each([
    '',
    '/',
    'org/',
    '/name',
    'a/b/c',
    'org//name',
    'org\\name',
    '..',
    '../name',
    'org/..',
    'org/na..me',
    'org/na--me',
    '-org/name',
    'org/name-',
    '.org/name',
    'org/name.',
    'org/name.git',
    'org/na me',
    'org/näme',
    'org/name\n',
    'org/name\0',
    'org/name?x=1',
    'a'.repeat(97),
    `org/${'b'.repeat(93)}`,
  ])('cannot be %j', (text) => {
    expect(codeOf(() => parseRepoId(text))).toBe('INVALID_MODEL')
  })

  test('has a model name with an underscore instead of the slash', () => {
    expect(modelNameOf(parseRepoId('openai/whisper-tiny'))).toBe('openai_whisper-tiny')
    expect(modelNameOf(parseRepoId('gpt2'))).toBe('gpt2')
  })
})

describe('a revision', () => {
  test.each(['main', 'v1.0', 'refs/pr/1', 'refs/convert/parquet', 'feature/x-y_z', 'a+b', 'x=1', '1..2', 'a@b'])(
    'can be %s',
    (text) => {
      expect(parseRevision(text, 'a test')).toBe(text)
    },
  )

  test.each([
    '',
    '/',
    '..',
    '../main',
    'a/../b',
    'a/..',
    '/main',
    'main/',
    'a//b',
    '.hidden',
    'refs/.x',
    'main.lock',
    'a.lock/b',
    'a b',
    'a\\b',
    'a\0b',
    'a\nb',
    'a:b',
    'ä',
    'x'.repeat(201),
  ])('cannot be %j', (text) => {
    expect(codeOf(() => parseRevision(text, 'a test'))).toBe('INVALID_MODEL')
  })

  test('stays inside the folder of the refs if it is accepted', () => {
    fc.assert(
      fc.property(nasty, (text) => {
        fc.pre(codeOf(() => parseRevision(text, 'a test')) === 'accepted')
        expect(stepsOutOf('refs', text)).toBe(false)
      }),
    )
  })
})

describe('a commit', () => {
  const sha = '0123456789abcdef0123456789abcdef01234567'

  test('is forty lower-case hexadecimal digits', () => {
    expect(parseCommit(sha, 'a test')).toBe(sha)
    for (const text of ['', 'main', sha.slice(1), `${sha}0`, sha.toUpperCase(), `${sha}\n`, `g${sha.slice(1)}`]) {
      expect(isCommit(text)).toBe(false)
      expect(codeOf(() => parseCommit(text, 'a test'))).toBe('HUB_ERROR')
    }
  })
})

describe("a file's path", () => {
  test.each([
    'config.json',
    'onnx/model.onnx',
    'a/b/c/d.bin',
    '.gitattributes',
    'file with spaces.txt',
    'ünïcode/模型.bin',
    '..a/b..c',
    '...a',
    '~/x',
    '%2e%2e/x',
    'console.txt',
    'com10.txt',
    '__proto__',
    'a'.repeat(255),
  ])('can be %s', (text) => {
    expect(parseHubPath(text, 'a test')).toBe(text)
  })

  test.each([
    ['empty', ''],
    ['a parent folder', '..'],
    ['through a parent folder', '../config.json'],
    ['through a parent folder in the middle', 'a/../../config.json'],
    ['ending in a parent folder', 'a/..'],
    ['a current folder', 'a/./b'],
    ['absolute', '/etc/passwd'],
    ['ending with a slash', 'a/'],
    ['with an empty part', 'a//b'],
    ['on a drive', 'C:/windows'],
    ['relative to a drive', 'c:file'],
    ['with a backslash', '..\\config.json'],
    ['of a network share', '\\\\server\\share'],
    ['with a NUL', 'config.json\0.txt'],
    ['with a line feed', 'a\nb'],
    ['with a delete character', 'a\x7fb'],
    ['with a part that is too long', 'ä'.repeat(128)],
    ['too long', Array(103).fill('123456789').join('/')],
  ])('is refused if it is %s', (_, text) => {
    expect(codeOf(() => parseHubPath(text, 'a test'))).toBe('UNSAFE_PATH')
  })

  const NOT_ON_WINDOWS = [
    ['a device', 'aux'],
    ['a device with an extension', 'a/NUL.txt'],
    ['a device with two extensions', 'com1.tar.gz'],
    ['a folder that is a device', 'con/a.txt'],
    ['ending with a dot', 'a./b'],
    ['ending with a space', 'a '],
    ['three dots', '...'],
    ['with a colon', 'ab:c'],
    ['with a stream', 'model.onnx:stream'],
    ['with a question mark', 'what?.txt'],
    ['with a pipe', 'a|b/c'],
    ['with quotes', '"a"'],
  ]

  test.each(NOT_ON_WINDOWS)('can be written on Linux and macOS but not on Windows: %s', (_, text) => {
    // The path itself is accepted: the repo is not refused for it, only the file is when it is requested.
    const path = parseHubPath(text ?? '', 'a test')
    expect(isWritable(path, 'linux')).toBe(true)
    expect(isWritable(path, 'darwin')).toBe(true)
    expect(isWritable(path, 'win32')).toBe(false)
  })

  test.each(['config.json', 'onnx/model.onnx', '.gitattributes', 'console.txt', 'com10.txt', 'a b/c d', '模型.bin'])(
    'can be written on every system: %s',
    (text) => {
      for (const platform of ['linux', 'darwin', 'win32'] as const)
        expect(isWritable(parseHubPath(text, 'a test'), platform)).toBe(true)
    },
  )

  test('is stated in the error, and cut if it is long', () => {
    expect(() => parseHubPath('../x', 'Model org/name')).toThrow(/Model org\/name.*"\.\.\/x"/)
    expect(() => parseHubPath(`../${'x'.repeat(5000)}`, 'Model org/name')).toThrow(/^.{0,600}$/)
  })

  test('stays inside every folder that it is joined to if it is accepted', () => {
    fc.assert(
      fc.property(nasty, fc.constantFrom('/cache', '/', 'relative/folder', '.'), (text, folder) => {
        const path = accepted(text)
        fc.pre(path !== undefined)
        expect(stepsOutOf(folder, text)).toBe(false)
      }),
      { numRuns: 2000 },
    )
  })
})

/** Whether the path leaves the folder, by the rules of this system or by those of Windows. */
function stepsOutOf(folder: string, path: string): boolean {
  const here = relative(resolve(folder), resolve(join(folder, path)))
  const windows = win32.relative('C:\\cache', win32.resolve('C:\\cache', path))
  const leaves = (from: string) => from === '' || from === '..' || from.startsWith('../') || from.startsWith('..\\')
  return leaves(here.split(sep).join('/')) || leaves(windows) || win32.isAbsolute(windows)
}
