import { expect, test } from 'vitest'
import { vectorOf } from '../src/search.ts'
import { MODEL } from './model.ts'

test('gives unit vectors of one dimension, however long the text', async ({ models }) => {
  const embed = await models.pipeline('feature-extraction', MODEL)
  const short = await vectorOf(embed, 'A dog')
  const long = await vectorOf(embed, 'A dog runs along the beach and barks at every wave that comes in')
  expect(long).toHaveLength(short.length)
  expect(Math.hypot(...short)).toBeCloseTo(1)
  expect(Math.hypot(...long)).toBeCloseTo(1)
})
