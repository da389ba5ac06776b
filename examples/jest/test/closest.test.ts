import { expect, test } from '@jest/globals'
import { closest } from '../src/closest.ts'

const DOCUMENTS = ['How to bake bread', 'Repairing a bicycle tyre', 'Stars and planets']

// The code under test calls pipeline() of transformers.js, and does not know this package.
test('finds the document that is equal to the question', async () => {
  expect(await closest('Stars and planets', DOCUMENTS)).toBe('Stars and planets')
})

test('finds nothing where there is nothing', async () => {
  expect(await closest('Stars and planets', [])).toBeUndefined()
})
