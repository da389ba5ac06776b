import { PerformanceObserver } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { originals } from '../../src/platform/originals.ts'
import { measured, ownMs, spent, takeOwnMs } from '../../src/platform/own-time.ts'

test('adds the times of all parts, and starts from zero after takeOwnMs', async () => {
  takeOwnMs()
  const started = originals.monotonic()
  await sleep(20)
  spent('one thing', started)
  expect(measured('another', () => 'its result')).toBe('its result')
  const sofar = ownMs()
  expect(sofar).toBeGreaterThanOrEqual(19)
  expect(takeOwnMs()).toBe(sofar)
  expect(ownMs()).toBe(0)
})

test('counts work that throws', () => {
  takeOwnMs()
  const work = () => {
    throw new Error('The work failed')
  }
  expect(() => measured('work that throws', work)).toThrow('The work failed')
  expect(ownMs()).toBeGreaterThan(0)
})

test('emits measures to observers, and keeps them out of the timeline', async () => {
  const seen: string[] = []
  const observer = new PerformanceObserver((list) => seen.push(...list.getEntries().map(({ name }) => name)))
  observer.observe({ entryTypes: ['measure'] })
  measured('a thing to see', () => undefined)
  await vi.waitFor(() => expect(seen).toEqual(['vitest-model-cache: a thing to see']), 200_000)
  observer.disconnect()
  expect(performance.getEntriesByType('measure')).toEqual([])
})
