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

describe('a model written as a string', () => {
  test.each([
    ['gpt2', 'gpt2', 'main'],
    ['org/name', 'org/name', 'main'],
    ['org/name@v1.0', 'org/name', 'v1.0'],
    ['gpt2@main', 'gpt2', 'main'],
    ['org/name@refs/pr/1', 'org/name', 'refs/pr/1'],
    ['org/name@feature/x', 'org/name', 'feature/x'],
    ['org/name@feature@2', 'org/name', 'feature@2'],
    [`org/name@${COMMIT}`, 'org/name', COMMIT],
  ])('%s has the repo %s and the revision %s', (text, repo, revision) => {
    expect(parseModel(text)).toEqual({ repo, revision, selection: {}, pin: false })
  })
})

describe('a model written as an object', () => {
  test('may have all fields', () => {
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

  test('may have the revision in its `repo`', () => {
    expect(parseModel({ repo: 'org/name@v1' })).toMatchObject({ repo: 'org/name', revision: 'v1' })
  })

  test('may have a single glob, and a dtype for each file', () => {
    const { selection } = parseModel({ repo: 'a', files: '*.json', dtype: { encoder_model: 'q8', model: 'fp32' } })
    expect(selection).toMatchObject({ files: ['*.json'], dtype: { encoder_model: 'q8', model: 'fp32' } })
  })

  test.each([
    [{ task: 'sentiment-analysis' }, { task: 'text-classification' }],
    [{ task: 'asr' }, { task: 'automatic-speech-recognition' }],
    [{ task: 'translation_en_to_fr' }, { task: 'translation' }],
    [{ subfolder: 'onnx' }, {}],
    [{ task: 'ner', subfolder: 'onnx' }, { task: 'token-classification' }],
  ])('equals another spelling of it: %j, %j', (written, meant) => {
    const parsed = parseModel({ repo: 'org/name', ...written })
    expect(parsed).toEqual(parseModel({ repo: 'org/name', ...meant }))
    expect(selectionKey(parsed.selection)).toBe(JSON.stringify(meant))
  })

  test('keeps a subfolder other than `onnx`, and an empty one', () => {
    for (const subfolder of ['', 'other'])
      expect(parseModel({ repo: 'org/name', subfolder }).selection).toMatchObject({ subfolder })
  })

  test('equals the string if it has only a repo', () => {
    expect(parseModel({ repo: 'org/name', task: undefined, files: undefined })).toEqual(parseModel('org/name'))
  })
})

describe('an invalid model', () => {
  test.each<[unknown, string]>([
    ['', 'not a repo id'],
    ['@main', 'not a repo id'],
    ['org/name/more', 'not a repo id'],
    ['https://huggingface.co/org/name', 'not a repo id'],
    ['org/name@', 'not a valid revision'],
    ['org/name@../../etc', 'not a valid revision'],
    [undefined, 'a string or an object'],
    [null, 'a string or an object'],
    [5, 'a string or an object'],
    [['org/name'], 'a string or an object'],
    [{}, '`repo` is missing'],
    [{ repo: 5 }, '`repo` is missing'],
    [{ repo: 'org/name', model: 'x' }, 'no field `model`'],
    [{ repo: 'org/name', revision: 5 }, '`revision` must be a string'],
    [{ repo: 'org/name', revision: '' }, '`revision` must be a string'],
    [{ repo: 'org/name', revision: 'a b' }, 'not a valid revision'],
    [{ repo: 'org/name@v1', revision: 'v1' }, 'keep one'],
    [{ repo: 'org/name', pin: 'yes' }, '`pin` must be true or false'],
    [{ repo: 'org/name', files: [] }, '`files` must be a glob'],
    [{ repo: 'org/name', files: [''] }, '`files` must be a glob'],
    [{ repo: 'org/name', files: [5] }, '`files` must be a glob'],
    [{ repo: 'org/name', files: { '0': '*' } }, '`files` must be a glob'],
    [{ repo: 'org/name', dtype: 'q5' }, '`dtype` must be one of auto, fp32'],
    [{ repo: 'org/name', dtype: null }, '`dtype` must be one of auto, fp32'],
    [{ repo: 'org/name', dtype: { model: 'q5' } }, '`dtype` must be one of auto, fp32'],
    [{ repo: 'org/name', dtype: {} }, '`dtype` must be one of auto, fp32'],
    [{ repo: 'org/name', dtype: [] }, '`dtype` must be one of auto, fp32'],
    [{ repo: 'org/name', dtype: ['q8'] }, '`dtype` must be one of auto, fp32'],
    [{ repo: 'org/name', dtype: { model: ['q8'] } }, '`dtype` must be one of auto, fp32'],
    [{ repo: 'org/name', task: '' }, '`task` must be a string'],
    [{ repo: 'org/name', task: 'embedding' }, 'The tasks are feature-extraction (or embeddings), text-classification'],
    [{ repo: 'org/name', task: 'text_generation' }, 'The tasks are text-generation, text-classification'],
    [
      { repo: 'org/name', task: 'constructor' },
      'The tasks are text-classification (or sentiment-analysis), token-classification',
    ],
    [{ repo: 'org/name', task: 5 }, '`task` must be a string'],
    [{ repo: 'org/name', subfolder: 5 }, '`subfolder` must be a string'],
    [{ repo: 'org/name', modelFileName: '' }, '`modelFileName` must be a string'],
  ])('is refused: %j', (spec, reason) => {
    const error = refusal(spec)
    expect(error.code).toBe('INVALID_MODEL')
    expect(error.message).toContain(reason)
    expect(error.nextStep).not.toBe('')
  })

  test('is refused and shown even if it cannot be written as JSON', () => {
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

  test('is shown in the error', () => {
    expect(refusal({ repo: 'org/name', dtype: 'q5' }).message).toContain('{"repo":"org/name","dtype":"q5"}')
    expect(refusal('a/b/c').message).toContain('"a/b/c"')
  })

  test('is INVALID_MODEL for any JSON value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (spec) => {
        fc.pre(typeof spec !== 'string')
        expect(refusal(spec).code).toBe('INVALID_MODEL')
      }),
    )
  })
})

test('a model has a label, a key and a description', () => {
  const plain = parseModel('org/name')
  const full = parseModel({ repo: 'org/name@v1', task: 'fill-mask', dtype: { model: 'q8' }, files: '*.txt' })
  expect([modelLabel(plain), modelKey(plain), describeModel(plain)]).toEqual(['org/name', 'org/name@main', 'org/name'])
  expect([modelLabel(full), modelKey(full), describeModel(full)]).toEqual([
    'org/name@v1',
    'org/name@v1',
    'org/name@v1 (fill-mask, {model:q8}, *.txt)',
  ])
})
