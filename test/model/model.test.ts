import { describe, expect, test } from 'vitest'
import { ModelCacheError } from '../../src/model/errors.ts'
import { describeModel, modelKey, modelLabel, parseModel } from '../../src/model/model.ts'
import { selectionKey } from '../../src/model/selection.ts'
import fc from '../support/property.ts'

const COMMIT = '0123456789abcdef0123456789abcdef01234567'

function refusal(spec: unknown): ModelCacheError {
  try {
    parseModel(spec)
  } catch (error) {
    if (error instanceof ModelCacheError) return error
    throw error
  }
  throw new Error(`${JSON.stringify(spec)} was not refused`)
}

describe('a model written as a text', () => {
  test.each([
    ['gpt2', 'gpt2', 'main'],
    ['org/name', 'org/name', 'main'],
    ['org/name@v1.0', 'org/name', 'v1.0'],
    ['gpt2@main', 'gpt2', 'main'],
    ['org/name@refs/pr/1', 'org/name', 'refs/pr/1'],
    ['org/name@feature/x', 'org/name', 'feature/x'],
    ['org/name@feature@2', 'org/name', 'feature@2'],
    [`org/name@${COMMIT}`, 'org/name', COMMIT],
  ])('%s', (text, repo, revision) => {
    expect(parseModel(text)).toEqual({ repo, revision, selection: {}, pin: false })
  })
})

describe('a model written as an object', () => {
  test('may say all there is to say', () => {
    const spec = {
      repo: 'org/name',
      revision: 'v1',
      files: ['*.json', 'onnx/*.onnx'],
      task: 'feature-extraction',
      dtype: 'q8',
      subfolder: '',
      modelFileName: 'text_model',
      pin: true,
    }
    const { repo, revision, pin, ...selection } = spec
    expect(parseModel(spec)).toEqual({ repo, revision, pin, selection })
  })

  test('may name the revision after the repo', () => {
    expect(parseModel({ repo: 'org/name@v1' })).toMatchObject({ repo: 'org/name', revision: 'v1' })
  })

  test('may name one glob, and a dtype for each file', () => {
    const { selection } = parseModel({ repo: 'a', files: '*.json', dtype: { encoder_model: 'q8', model: 'fp32' } })
    expect(selection).toMatchObject({ files: ['*.json'], dtype: { encoder_model: 'q8', model: 'fp32' } })
  })

  test.each([
    [{ task: 'sentiment-analysis' }, { task: 'text-classification' }],
    [{ task: 'asr' }, { task: 'automatic-speech-recognition' }],
    [{ task: 'translation_en_to_fr' }, { task: 'translation' }],
    [{ task: 'constructor' }, { task: 'constructor' }],
    [{ subfolder: 'onnx' }, {}],
    [{ task: 'ner', subfolder: 'onnx' }, { task: 'token-classification' }],
  ])('means one thing, however it is written: %j', (written, meant) => {
    const parsed = parseModel({ repo: 'org/name', ...written })
    expect(parsed).toEqual(parseModel({ repo: 'org/name', ...meant }))
    expect(selectionKey(parsed.selection)).toBe(JSON.stringify(meant))
  })

  test('keeps another subfolder, and that there is none', () => {
    for (const subfolder of ['', 'other'])
      expect(parseModel({ repo: 'org/name', subfolder }).selection).toMatchObject({ subfolder })
  })

  test('means the same as the text when it says no more', () => {
    expect(parseModel({ repo: 'org/name', task: undefined, files: undefined })).toEqual(parseModel('org/name'))
  })
})

describe('what is no model', () => {
  test.each<[unknown, string]>([
    ['', 'no repo id'],
    ['@main', 'no repo id'],
    ['org/name/more', 'no repo id'],
    ['https://huggingface.co/org/name', 'no repo id'],
    ['org/name@', 'no revision'],
    ['org/name@../../etc', 'no revision'],
    [undefined, 'a text or an object'],
    [null, 'a text or an object'],
    [5, 'a text or an object'],
    [['org/name'], 'a text or an object'],
    [{}, '`repo` is missing'],
    [{ repo: 5 }, '`repo` is missing'],
    [{ repo: 'org/name', model: 'x' }, '`model` is none of its fields'],
    [{ repo: 'org/name', revision: 5 }, '`revision` is a text'],
    [{ repo: 'org/name', revision: '' }, '`revision` is a text'],
    [{ repo: 'org/name', revision: 'a b' }, 'no revision'],
    [{ repo: 'org/name@v1', revision: 'v1' }, 'keep one'],
    [{ repo: 'org/name', pin: 'yes' }, '`pin` is true or false'],
    [{ repo: 'org/name', files: [] }, '`files` is a glob'],
    [{ repo: 'org/name', files: [''] }, '`files` is a glob'],
    [{ repo: 'org/name', files: [5] }, '`files` is a glob'],
    [{ repo: 'org/name', files: { '0': '*' } }, '`files` is a glob'],
    [{ repo: 'org/name', dtype: 'q5' }, '`dtype` is one of auto, fp32'],
    [{ repo: 'org/name', dtype: null }, '`dtype` is one of auto, fp32'],
    [{ repo: 'org/name', dtype: { model: 'q5' } }, '`dtype` is one of auto, fp32'],
    [{ repo: 'org/name', dtype: {} }, '`dtype` is one of auto, fp32'],
    [{ repo: 'org/name', dtype: [] }, '`dtype` is one of auto, fp32'],
    [{ repo: 'org/name', dtype: ['q8'] }, '`dtype` is one of auto, fp32'],
    [{ repo: 'org/name', dtype: { model: ['q8'] } }, '`dtype` is one of auto, fp32'],
    [{ repo: 'org/name', task: '' }, '`task` is a text'],
    [{ repo: 'org/name', task: 5 }, '`task` is a text'],
    [{ repo: 'org/name', subfolder: 5 }, '`subfolder` is a text'],
    [{ repo: 'org/name', modelFileName: '' }, '`modelFileName` is a text'],
  ])('is refused: %j', (spec, reason) => {
    const error = refusal(spec)
    expect(error.code).toBe('INVALID_MODEL')
    expect(error.reason).toContain(reason)
    expect(error.nextStep).not.toBe('')
  })

  test('is refused and shown also when JSON can not tell it', () => {
    const own: { repo: string; files: unknown } = { repo: 'org/name', files: undefined }
    own.files = own
    for (const spec of [5n, { repo: 5n }, { repo: 'org/name', task: 5n }, { repo: 'org/name', more: 5n }, own]) {
      const error = refusal(spec)
      expect(error.code).toBe('INVALID_MODEL')
      expect(error.asked).toMatch(/^Model ./)
    }
    expect(refusal(5n).asked).toBe('Model 5')
    for (const spec of [Symbol('model'), () => 'org/name']) expect(refusal(spec).code).toBe('INVALID_MODEL')
  })

  test('is told what was given', () => {
    expect(refusal({ repo: 'org/name', dtype: 'q5' }).message).toContain('{"repo":"org/name","dtype":"q5"}')
    expect(refusal('a/b/c').message).toContain('"a/b/c"')
  })

  test('gives one and the same kind of error, whatever JSON it is', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (spec) => {
        fc.pre(typeof spec !== 'string')
        expect(refusal(spec).code).toBe('INVALID_MODEL')
      }),
    )
  })
})

test('a model is named for people and for maps', () => {
  const plain = parseModel('org/name')
  const full = parseModel({ repo: 'org/name@v1', task: 'fill-mask', dtype: { model: 'q8' }, files: '*.txt' })
  expect([modelLabel(plain), modelKey(plain), describeModel(plain)]).toEqual(['org/name', 'org/name@main', 'org/name'])
  expect([modelLabel(full), modelKey(full), describeModel(full)]).toEqual([
    'org/name@v1',
    'org/name@v1',
    'org/name@v1 (fill-mask, {model:q8}, *.txt)',
  ])
})
