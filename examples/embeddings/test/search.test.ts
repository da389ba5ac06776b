import { expect, test } from 'vitest'
import { search } from '../src/search.ts'
import { MODEL } from './model.ts'

const DOCUMENTS = ['How to bake bread', 'Repairing a bicycle tyre', 'Stars and planets', 'Growing tomatoes']

test('finds the document that is equal to the query', async ({ models }) => {
  const embed = await models.pipeline('feature-extraction', MODEL)
  const [first] = await search(embed, 'Stars and planets', DOCUMENTS)
  expect(first?.document).toBe('Stars and planets')
  expect(first?.similarity).toBeCloseTo(1)
})

test('ranks every document, the most similar first', async ({ models }) => {
  // The same model as above: this worker has it loaded.
  const embed = await models.pipeline('feature-extraction', MODEL)
  const matches = await search(embed, 'a recipe for pizza dough', DOCUMENTS)
  const similarities = matches.map(({ similarity }) => similarity)
  expect(matches.map(({ document }) => document).sort()).toEqual([...DOCUMENTS].sort())
  expect(similarities).toEqual([...similarities].sort((a, b) => b - a))
})
