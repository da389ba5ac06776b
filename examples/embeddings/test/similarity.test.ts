import type { FeatureExtractionPipeline } from '@huggingface/transformers'
import { beforeAll, expect, test } from 'vitest'
import { models } from 'vitest-model-cache/models'
import { similarity, vectorOf } from '../src/search.ts'
import { MODEL } from './model.ts'

let embed: FeatureExtractionPipeline

beforeAll(async () => {
  embed = await models.pipeline('feature-extraction', MODEL)
})

test('is 1 for the same text', async () => {
  const [once, again] = [await vectorOf(embed, 'The same sentence'), await vectorOf(embed, 'The same sentence')]
  expect(similarity(once, again)).toBeCloseTo(1)
})

test('is less for another text, and the same both ways', async () => {
  const [dog, rain] = [await vectorOf(embed, 'A dog barks'), await vectorOf(embed, 'It will rain tomorrow')]
  expect(similarity(dog, rain)).toBeLessThan(0.99)
  expect(similarity(dog, rain)).toBeCloseTo(similarity(rain, dog))
})
