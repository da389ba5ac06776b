import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import picomatch from 'picomatch'
import { describe, expect, test } from 'vitest'
import { resolveOptions } from '../src/config/options.ts'
import { ERROR_CODES } from '../src/model/errors.ts'
import { Document, documents as packedDocuments, REPOSITORY } from './support/documents/document.ts'
import { sentencesOf, wordsIn } from './support/documents/prose.ts'

const readme = new Document('README.md')
const contributing = new Document('CONTRIBUTING.md')
const documents = [...packedDocuments, contributing, new Document('CHANGELOG.md')]

describe('README.md', () => {
  const lines = readme.text.trimEnd().split('\n')

  test('is short: 185 lines, none longer than 120 characters', () => {
    expect(lines.length).toBeLessThanOrEqual(185)
    expect(lines.filter((line) => line.length > 120)).toEqual([])
  })

  test('leads to each document in docs', () => {
    const linked = new Set(readme.links.map(({ path }) => path))
    expect(packedDocuments.map(({ path }) => path).filter((path) => path !== readme.path && !linked.has(path))).toEqual(
      [],
    )
  })

  test('names options and defaults that docs/options.md has', () => {
    const all = new Document('docs/options.md').table('All options')
    const defaults = new Map(all.map(([option = '', , byDefault = '']) => [option.replace(/\..*(?=`)/, ''), byDefault]))
    for (const [option = '', byDefault = ''] of readme.table('Options')) {
      expect([...defaults.keys()]).toContain(option)
      if (/^`/.test(byDefault)) expect(byDefault).toBe(defaults.get(option))
    }
  })
})

test.each([...packedDocuments, contributing])('no sentence in $path has more than 25 words', ({ text }) => {
  expect(sentencesOf(text).filter((sentence) => wordsIn(sentence) > 25)).toEqual([])
})

test.each(packedDocuments)('no line of prose in $path is longer than 120 characters', ({ text }) => {
  const prose = text.replace(/^```.*?^```$/gms, '').split('\n')
  expect(prose.filter((line) => line.length > 120 && !/^[|!]/.test(line))).toEqual([])
})

test('each error code has its part in docs/troubleshooting.md: what it means, usual causes, and what to do', () => {
  const [, codes = ''] = new Document('docs/troubleshooting.md').text.split('\n## Error codes\n')
  const parts = codes.split(/^### /m).slice(1)
  expect(parts.map((part) => part.split('\n', 1)[0])).toEqual(ERROR_CODES.map((code) => `\`${code}\``))
  const shape = /^`[A-Z_]+`\n\n[A-Z].+?\n\nUsual causes:\n\n- .+?\n\nWhat to do:\n\n- .+$/s
  expect(parts.filter((part) => !shape.test(part))).toEqual([])
})

describe('the table of options', () => {
  const rows = new Document('docs/options.md').table('All options').map(([option, variable, byDefault]) => ({
    options: codeIn(option),
    variables: codeIn(variable),
    byDefault: codeIn(byDefault)[0],
  }))

  test('has every option, and none that is not', () => {
    const known = [...namesIn(refusal({ nonsense: 1 })), ...namesIn(refusal({ hub: { nonsense: 1 } }))]
    const named = rows.flatMap(({ options }) => options)
    expect([...new Set(named)].sort()).toEqual(known.filter((name) => name !== 'hub').sort())
  })

  test('has every variable of ours, and none that is not', async () => {
    const named = rows.flatMap(({ variables }) => variables).filter((name) => name.startsWith('MODEL_CACHE_'))
    const read = [...(await source()).matchAll(/\bMODEL_CACHE_[A-Z_]*[A-Z]\b/g)].map(([name]) => name)
    expect(named.sort()).toEqual([...new Set(read)].sort())
  })

  test.each(rows.filter(({ byDefault, options }) => isPlain(byDefault) && options.length > 0))(
    'tells the default of $options',
    ({ options: [option = ''], byDefault = '' }) => {
      const given = /^(true|false|\d+|\[\])$/.test(byDefault) ? JSON.parse(byDefault) : byDefault
      const [outer = '', inner] = option.split('.')
      const input = { [outer]: inner === undefined ? given : { [inner]: given } }
      expect(resolveOptions(input, {}, '/')).toEqual(resolveOptions({}, {}, '/'))
    },
  )
})

test('every variable that a document names is read by the package', async () => {
  const text = await source()
  const named = documents.flatMap(({ text }) =>
    [...text.matchAll(/\b(?:MODEL_CACHE|HF)_[A-Z_]*[A-Z]\b/g)].map(([name]) => name),
  )
  expect([...new Set(named)].filter((name) => !text.includes(name))).toEqual([])
})

test('the fields of the report are those of its schema', async () => {
  const schema = JSON.parse(await readFile(join(REPOSITORY, 'src/report/report.schema.json'), 'utf8'))
  const named = new Document('docs/reports.md').table('JSON').flatMap(([field]) => codeIn(field))
  expect(named.sort()).toEqual(Object.keys(schema.properties).sort())
})

test('every promise is held by tests that are there', async () => {
  const paths = await filesBelow('test')
  const patterns = new Document('docs/promises.md').table('Promises').map(([, tests]) => codeIn(tests))
  expect(patterns.every((found) => found.length > 0)).toBe(true)
  const absent = patterns.flat().filter((pattern) => !paths.some((path) => matches(path, pattern)))
  expect(absent).toEqual([])
})

test('every path of tests that a document names is there', async () => {
  const paths = [...(await filesBelow('test')), ...(await filesBelow('examples')), ...(await filesBelow('docs'))]
  const named = documents
    .filter(({ path }) => path !== 'CONTRIBUTING.md')
    .flatMap(({ codeSpans }) => codeSpans.filter((span) => /^(test|examples|docs)\/[\w./*-]*$/.test(span)))
  expect(named.filter((pattern) => !paths.some((path) => matches(path, pattern)))).toEqual([])
})

test('every file that CONTRIBUTING.md names exists, and it has every room', async () => {
  const named = contributing.codeSpans.filter((span) => /^(src|test|\.ci)\//.test(span))
  expect(named.length).toBeGreaterThan(20)
  expect(named.filter((path) => !existsSync(join(REPOSITORY, path)))).toEqual([])
  const rooms = contributing.table('The rooms').flatMap(([, names]) => codeIn(names))
  const folders = (await readdir(join(REPOSITORY, 'src'), { withFileTypes: true })).filter((each) => each.isDirectory())
  expect(rooms).toEqual(expect.arrayContaining(folders.map(({ name }) => name)))
})

test('every link leads somewhere', () => {
  const anchors = new Map(documents.map((document) => [document.path, document.anchors]))
  const broken = documents.flatMap(({ path: from, links }) =>
    links
      .filter(
        ({ path, anchor }) => !existsSync(join(REPOSITORY, path)) || (anchor && !anchors.get(path)?.includes(anchor)),
      )
      .map(({ path, anchor }) => `${from}: ${path}#${anchor}`),
  )
  expect(broken).toEqual([])
})

test('every script that a document names is in package.json', async () => {
  const { scripts } = JSON.parse(await readFile(join(REPOSITORY, 'package.json'), 'utf8'))
  const named = documents.flatMap(({ text }) => [...text.matchAll(/npm run ([\w-]+)/g)].map(([, name = '']) => name))
  expect([...new Set(named)].filter((name) => !(name in scripts))).toEqual([])
})

/** What stands in the type of code in a cell. */
function codeIn(cell = ''): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text)
}

/** A value that can be given as it is written. */
function isPlain(value: string | undefined): boolean {
  return value !== undefined && /^[\w[\]]+$/.test(value) && !value.startsWith('HF_')
}

function refusal(options: unknown): string {
  try {
    resolveOptions(options, {}, '/')
  } catch (error) {
    return String(error)
  }
  throw new Error('An unknown option was not refused')
}

/** The options that a refusal names as known. */
function namesIn(message: string): string[] {
  return codeIn(message.split('The options are ')[1])
}

function matches(path: string, pattern: string): boolean {
  return picomatch(pattern)(path) || path.startsWith(`${pattern.replace(/\/$/, '')}/`)
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(join(REPOSITORY, folder), { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name).slice(REPOSITORY.length))
}

/** All of src, as one text. */
async function source(): Promise<string> {
  const paths = (await filesBelow('src')).filter((path) => /\.[cm]?ts$/.test(path))
  return (await Promise.all(paths.map((path) => readFile(join(REPOSITORY, path), 'utf8')))).join('\n')
}
