import { describe, expect, test } from 'vitest'
import { DTYPES, isDefaultSelection, type Selection, selectionKey } from '../../src/model/selection.ts'
import { canonicalTask } from '../../src/model/task.ts'
import fc from '../support/property.ts'

const dtype = fc.constantFrom(...DTYPES)
const selection: fc.Arbitrary<Selection> = fc.record(
  {
    task: fc.string({ minLength: 1 }),
    dtype: fc.oneof(dtype, fc.dictionary(fc.string(), dtype)),
    files: fc.array(fc.string({ minLength: 1 }), { minLength: 1 }),
    optional: fc.array(fc.string({ minLength: 1 }), { minLength: 1 }),
    subfolder: fc.string(),
    modelFileName: fc.string({ minLength: 1 }),
  },
  { requiredKeys: [] },
)

/** An equal selection, with its fields and globs in another order. */
function rewritten(original: Selection): Selection {
  const { files, optional } = original
  const backwards = Object.entries(original).reverse()
  return {
    ...Object.fromEntries(backwards),
    files: files && [...files, ...files].reverse(),
    optional: optional && [...optional].reverse(),
    dtype:
      typeof original.dtype === 'object'
        ? Object.fromEntries(Object.entries(original.dtype).reverse())
        : original.dtype,
  }
}

describe('the key of a selection', () => {
  test('is the same for equal selections', () => {
    fc.assert(
      fc.property(selection, (original) => {
        expect(selectionKey(rewritten(original))).toBe(selectionKey(original))
      }),
    )
  })

  test('is the JSON of the selection', () => {
    fc.assert(
      fc.property(selection, (original) => {
        const parsed: Selection = JSON.parse(selectionKey(original))
        expect(selectionKey(parsed)).toBe(selectionKey(original))
        expect(parsed.task).toBe(original.task)
        expect(new Set(parsed.files)).toEqual(new Set(original.files))
      }),
    )
  })

  test('differs for different selections', () => {
    const selections: Selection[] = [
      {},
      { task: 'fill-mask' },
      { dtype: 'q8' },
      { dtype: { model: 'q8' } },
      { dtype: { model: 'q4' } },
      { files: ['a'] },
      { files: ['a', 'b'] },
      { optional: ['a'] },
      { subfolder: '' },
      { subfolder: 'a' },
      { modelFileName: 'a' },
    ]
    expect(new Set(selections.map(selectionKey)).size).toBe(selections.length)
  })

  test('shows whether the selection is the default', () => {
    expect(isDefaultSelection({})).toBe(true)
    expect(isDefaultSelection({ task: undefined, files: undefined })).toBe(true)
    expect(isDefaultSelection({ subfolder: '' })).toBe(false)
    expect(isDefaultSelection({ dtype: 'auto' })).toBe(false)
  })
})

describe('external data', () => {
  test('is part of the key of a selection', () => {
    const keys = [undefined, true, 2, { model: 2 }, { model: 3 }].map((externalData) => selectionKey({ externalData }))
    expect(new Set(keys).size).toBe(keys.length)
    expect(isDefaultSelection({ externalData: true })).toBe(false)
  })

  test('has the same key in any order of its fields', () => {
    expect(selectionKey({ externalData: { a: 1, b: true } })).toBe(selectionKey({ externalData: { b: true, a: 1 } }))
  })
})

test.each(['constructor', 'toString', 'hasOwnProperty'])('the task %s is not an alias', (task) => {
  expect(canonicalTask(task)).toBe(task)
})

test('a task is a string for any text in a model card', () => {
  const task = fc.oneof(fc.string(), fc.constantFrom('__proto__', '', '_', 'valueOf'))
  fc.assert(
    fc.property(task, (text) => {
      expect(typeof canonicalTask(text)).toBe('string')
    }),
  )
})

test('an alias becomes the task name of transformers.js', () => {
  expect(
    ['sentiment-analysis', 'ner', 'asr', 'text-to-speech', 'embeddings', 'translation_en_to_fr', 'fill-mask'].map(
      canonicalTask,
    ),
  ).toEqual([
    'text-classification',
    'token-classification',
    'automatic-speech-recognition',
    'text-to-audio',
    'feature-extraction',
    'translation',
    'fill-mask',
  ])
})
