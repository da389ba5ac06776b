import type { Report } from '../../report/report.ts'
import { labelOf } from '../../report/words.ts'
import type { FinishedRun } from './finished-run.ts'

/** Compares what was predicted with what was requested. Null if nothing was predicted. */
export function predictionOf({ warmUps, reports }: FinishedRun): Report['prediction'] {
  const predicting = warmUps.filter(({ predicted }) => predicted !== undefined)
  if (predicting.length === 0) return null
  const projects = new Set(predicting.map(({ project }) => project))
  const predicted = new Set(predicting.flatMap(({ predicted }) => predicted ?? []))
  const requests = reports.filter(({ project }) => projects.has(project)).flatMap((report) => report.requests)
  const used = new Set(requests.map(labelOf))
  return {
    used: [...predicted].filter((model) => used.has(model)).sort(),
    unused: [...predicted].filter((model) => !used.has(model)).sort(),
    unpredicted: [...used].filter((model) => !predicted.has(model)).sort(),
  }
}
