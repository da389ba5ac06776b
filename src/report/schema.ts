import * as v from 'valibot'
import { TIERS } from '../model/tier.ts'
import type { Run } from './types.ts'

// What reports and run records hold, as `types.ts` has it: what is accepted when they are read again, and
// `report.schema.json`, come from it (`test/report/schema.test.ts` compares). A field may be added at any time, and
// is optional when it is read; `schemaVersion` goes up when one is removed or changes its meaning.

const about = <Schema extends v.GenericSchema>(schema: Schema, text: string) => v.pipe(schema, v.description(text))
const count = v.pipe(v.number(), v.integer(), v.minValue(0))
const amount = v.pipe(v.number(), v.finite(), v.minValue(0))
const date = v.pipe(
  v.string(),
  v.isoTimestamp(),
  v.check((text) => !Number.isNaN(Date.parse(text)), 'a date'),
)
const text = v.string()
const texts = v.array(text)
const tiers = v.record(v.picklist(TIERS), count)

const DistributionSchema = v.object({
  count: about(count, 'How many were measured.'),
  total: about(amount, 'Their sum, in milliseconds.'),
  p50: about(amount, 'The median, in milliseconds.'),
  p95: about(amount, '95 of 100 took no longer, in milliseconds.'),
  max: about(amount, 'The longest, in milliseconds.'),
})
const distribution = v.optional(v.nullable(DistributionSchema), null)

const ModelReportSchema = v.object({
  modelName: about(text, 'For people, `org_name`; never a key.'),
  repo: text,
  revision: text,
  commit: text,
  tiers: about(tiers, 'How many requests each tier served; `hub` are the misses.'),
  requests: count,
  bytes: about(amount, 'Bytes of all files that were asked for.'),
  lookupMs: about(v.nullable(amount), 'The median over the requests.'),
  restoreMs: about(v.nullable(amount), 'The sum.'),
  downloadMs: about(v.nullable(amount), "What this run's download took."),
  downloadedBytes: about(amount, 'What this run downloaded of it.'),
  adoptedBytes: about(amount, "What this run took over from the user's own Hugging Face cache."),
  repaired: about(texts, 'Files that were found changed in the cache, and brought in anew.'),
  loadMs: about(v.nullable(amount), 'The median over the loads.'),
  loads: about(v.optional(count, 0), 'How often a runtime loaded it.'),
  loadMsTotal: about(v.optional(amount, 0), 'What these loads took together.'),
  testFiles: about(v.optional(texts, []), 'Who asked for it, in the order of their last requests.'),
})

export const ReportSchema = v.object({
  schemaVersion: v.literal(1),
  startedAt: about(v.optional(v.nullable(date), null), 'ISO 8601.'),
  durationMs: about(v.optional(v.nullable(amount), null), 'From the start of the warm-up to the end of the tests.'),
  mode: about(
    v.optional(v.picklist(['integration', 'unit']), 'integration'),
    '`unit`: tests were given mocks, and no model was loaded.',
  ),
  mocks: about(v.optional(count, 0), 'How many mocks the tests were given in unit mode.'),
  requests: about(count, 'Hits, misses and what failed.'),
  hits: count,
  misses: about(count, 'Models that were downloaded in this run, by the warm-up or on demand.'),
  failed: about(v.optional(count, 0), 'Requests that failed, and whose tests failed.'),
  expectedErrors: about(v.optional(count, 0), 'Requests that failed, and whose tests passed: they expected it.'),
  hitRate: about(
    v.nullable(v.pipe(v.number(), v.minValue(0), v.maxValue(1))),
    'Hits by requests, 0 to 1; null without requests. What failed is no hit.',
  ),
  isFirstRun: about(
    v.optional(v.boolean(), false),
    'True when no run of the project was recorded in this cache before.',
  ),
  tiers: about(v.optional(tiers, {}), 'How many requests each tier served.'),
  warmUpMs: v.nullable(amount),
  times: about(
    v.optional(v.object({ lookup: distribution, restore: distribution, download: distribution, load: distribution }), {
      lookup: null,
      restore: null,
      download: null,
      load: null,
    }),
    'What each step took; null where there was none.',
  ),
  ownMs: about(
    v.optional(v.object({ main: v.nullable(amount), workers: distribution, children: distribution }), {
      main: null,
      workers: null,
      children: null,
    }),
    "What this package took of the processes' time, in milliseconds: of the main process until its report was made, of the worker of each test file that asked for a model, and of each child process that did. Downloads and loads are left out.",
  ),
  savedMs: about(v.nullable(amount), 'What the spared downloads would have taken, as recorded; null where unknown.'),
  savedBytes: amount,
  downloadedBytes: v.optional(amount, 0),
  adoptedBytes: v.optional(amount, 0),
  repaired: about(v.optional(count, 0), 'How many files were found changed in the cache, and brought in anew.'),
  evicted: about(v.optional(texts, []), 'Models that were removed for size.'),
  expired: about(v.optional(texts, []), 'Models that were removed for age.'),
  freedBytes: about(v.optional(amount, 0), 'What became free by that.'),
  models: v.array(ModelReportSchema),
  errors: about(
    v.array(
      v.object({
        ...{ model: text, code: text, message: text },
        requests: about(v.optional(count, 1), '0 where the warm-up failed and no test asked.'),
        testFiles: v.optional(texts, []),
      }),
    ),
    'What failed, but for what a test expected; those alike are named once.',
  ),
  errorCounts: about(
    v.optional(v.record(text, count), {}),
    'How many requests failed, by code, but for those that a test expected.',
  ),
  cache: v.nullable(v.object({ directory: text, size: amount, maxSize: amount, entries: count })),
})

const StepsSchema = v.object({ lookup: amount, restore: amount, download: amount, load: amount })

const TimelineSchema = v.array(
  v.object({
    model: about(text, '`org/name[@revision]`'),
    testFile: about(v.nullable(text), 'Null for the warm-up.'),
    tier: v.picklist(TIERS),
    at: about(v.pipe(v.number(), v.finite()), 'When it was asked for: milliseconds since the epoch.'),
    steps: about(StepsSchema, 'Milliseconds, one step after the other.'),
    bytes: amount,
  }),
)

/** What is kept of a run under `runs/`. */
export const RunSchema = v.object({
  id: text,
  startedAt: date,
  project: text,
  used: v.array(v.object({ repo: text, revision: text, testFiles: texts, files: v.optional(texts, []) })),
  report: ReportSchema,
  timeline: v.optional(TimelineSchema, []),
})

/** Reads a run record, which is outside input; undefined where it is damaged. */
export function parseRun(record: unknown): Run | undefined {
  const result = v.safeParse(RunSchema, record)
  return result.success ? result.output : undefined
}
