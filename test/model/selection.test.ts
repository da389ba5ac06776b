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

/** The same meaning, written in another way. */
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
  test('is the same for the same meaning', () => {
    fc.assert(
      fc.property(selection, (original) => {
        expect(selectionKey(rewritten(original))).toBe(selectionKey(original))
      }),
    )
  })

  test('is JSON of the selection', () => {
    fc.assert(
      fc.property(selection, (original) => {
        const parsed: Selection = JSON.parse(selectionKey(original))
        expect(selectionKey(parsed)).toBe(selectionKey(original))
        expect(parsed.task).toBe(original.task)
        expect(new Set(parsed.files)).toEqual(new Set(original.files))
      }),
    )
  })

  test('differs where the meaning does', () => {
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

  test('tells the selection that leaves all to the rules', () => {
    expect(isDefaultSelection({})).toBe(true)
    expect(isDefaultSelection({ task: undefined, files: undefined })).toBe(true)
    expect(isDefaultSelection({ subfolder: '' })).toBe(false)
    expect(isDefaultSelection({ dtype: 'auto' })).toBe(false)
  })
})

describe('external data', () => {
  test('is part of what a selection means', () => {
    const keys = [undefined, true, 2, { model: 2 }, { model: 3 }].map((externalData) => selectionKey({ externalData }))
    expect(new Set(keys).size).toBe(keys.length)
    expect(isDefaultSelection({ externalData: true })).toBe(false)
  })

  test('is the same in whatever order it is written', () => {
    expect(selectionKey({ externalData: { a: 1, b: true } })).toBe(selectionKey({ externalData: { b: true, a: 1 } }))
  })
})

test.each(['constructor', 'toString', 'hasOwnProperty'])('the task %s is itself', (task) => {
  expect(canonicalTask(task)).toBe(task)
})

test('whatever text a card gives as its task, it is a text', () => {
  const task = fc.oneof(fc.string(), fc.constantFrom('__proto__', '', '_', 'valueOf'))
  fc.assert(
    fc.property(task, (text) => {
      expect(typeof canonicalTask(text)).toBe('string')
    }),
  )
})

test('a task goes by the name that transformers.js gives it', () => {
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
