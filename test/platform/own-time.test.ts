import { PerformanceObserver } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { originals } from '../../src/platform/originals.ts'
import { measured, ownMs, spent, takeOwnMs } from '../../src/platform/own-time.ts'

test('adds up, and is told once', async () => {
  takeOwnMs()
  const started = originals.monotonic()
  await sleep(20)
  spent('one thing', started)
  expect(measured('another', () => 'what it gives')).toBe('what it gives')
  const sofar = ownMs()
  expect(sofar).toBeGreaterThanOrEqual(19)
  expect(takeOwnMs()).toBe(sofar)
  expect(ownMs()).toBe(0)
})

test('of work that throws counts too', () => {
  takeOwnMs()
  const work = () => {
    throw new Error('The work failed')
  }
  expect(() => measured('work that throws', work)).toThrow('The work failed')
  expect(ownMs()).toBeGreaterThan(0)
})

test('is seen by who observes the process, and stays out of the timeline', async () => {
  const seen: string[] = []
  const observer = new PerformanceObserver((list) => seen.push(...list.getEntries().map(({ name }) => name)))
  observer.observe({ entryTypes: ['measure'] })
  measured('a thing to see', () => undefined)
  await vi.waitFor(() => expect(seen).toEqual(['vitest-model-cache: a thing to see']), 200_000)
  observer.disconnect()
  expect(performance.getEntriesByType('measure')).toEqual([])
})
