import { expect, test } from 'vitest'
import { withRetry } from '../../src/hub/retry.ts'

/** The error that `fetch` throws when no server responds. */
const SILENCE = new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED') })

/** The number of attempts that are made at an endpoint that responds, or does not respond. */
async function triesAt(endpoint: string, answers: boolean): Promise<number> {
  let tries = 0
  const attempt = async () => {
    tries++
    if (!answers) throw SILENCE
  }
  await withRetry(attempt, { endpoint }).catch((error) => expect(error).toBe(SILENCE))
  return tries
}

test('after a Hub could not be reached, requests make fewer attempts until it responds', async () => {
  expect(await triesAt('http://gone.example', false)).toBe(5)
  expect(await triesAt('http://gone.example', false)).toBe(2)
  const others = triesAt('http://other.example', false)
  expect(await triesAt('http://gone.example', true)).toBe(1)
  expect(await triesAt('http://gone.example', false)).toBe(5)
  expect(await others).toBe(5)
})
