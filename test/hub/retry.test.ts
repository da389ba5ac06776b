import { expect, test } from 'vitest'
import { withRetry } from '../../src/hub/retry.ts'

/** What `fetch` throws where nobody answers. */
const SILENCE = new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED') })

/** How often it is tried to reach an endpoint that answers, or does not. */
async function triesAt(endpoint: string, answers: boolean): Promise<number> {
  let tries = 0
  const attempt = async () => {
    tries++
    if (!answers) throw SILENCE
  }
  await withRetry(attempt, { endpoint }).catch((error) => expect(error).toBe(SILENCE))
  return tries
}

test('a Hub that could not be reached is not waited for by each file anew; once it answers, all is as before', async () => {
  expect(await triesAt('http://gone.example', false)).toBe(5)
  expect(await triesAt('http://gone.example', false)).toBe(2)
  const others = triesAt('http://other.example', false)
  expect(await triesAt('http://gone.example', true)).toBe(1)
  expect(await triesAt('http://gone.example', false)).toBe(5)
  expect(await others).toBe(5)
})
