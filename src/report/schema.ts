import * as v from 'valibot'
import { TIERS } from '../model/tier.ts'
import type { Run } from './types.ts'

// The schema of reports and run records, as typed in `types.ts`. It checks records that are read again, and `report.schema.json` is
// made from it (`test/report/schema.test.ts` compares). A field may be added at any time and is then optional when it is read.
// `schemaVersion` increases when a field is removed or changes its meaning.

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
  count: about(count, 'The number of measurements.'),
  total: about(amount, 'The sum, in milliseconds.'),
  p50: about(amount, 'The median, in milliseconds.'),
  p95: about(amount, 'The 95th percentile, in milliseconds.'),
  max: about(amount, 'The longest, in milliseconds.'),
})
const distribution = v.optional(v.nullable(DistributionSchema), null)

const SharingSchema = v.object({
  by: about(
    v.picklist(['isolate', 'isolate-module', 'module', 'models', 'file', 'options']),
    'What it takes. `isolate`: the option `isolate: false`. `module`: a module that the test files import and that holds the model. `isolate-module`: both. `models`: to load it by `models`. `file`: to load it once in each test file. `options`: to ask with the same options each time.',
  ),
  workers: about(count, 'How many workers would load it, at most.'),
  loads: about(count, 'The loads that it would spare.'),
  ms: about(amount, 'The time of so many loads, by the mean of the loads in this run.'),
})

const ModelReportSchema = v.object({
  modelName: about(text, '`org_name`, for people. It is not unique.'),
  repo: text,
  revision: text,
  commit: text,
  tiers: about(tiers, 'The number of requests that each tier served. `hub` counts the misses.'),
  requests: count,
  bytes: about(amount, 'Bytes of all requested files.'),
  lookupMs: about(v.nullable(amount), 'The median of the lookups.'),
  restoreMs: about(
    v.nullable(amount),
    'The sum of all restores: the time of reading it from the remote or from pack files.',
  ),
  restoredBytes: about(v.optional(amount, 0), 'Bytes of it that this run read from the remote.'),
  unpackedBytes: about(v.optional(amount, 0), 'Bytes of it that this run restored from pack files.'),
  downloadMs: about(v.nullable(amount), 'The time of the download in this run.'),
  downloadedBytes: about(amount, 'Bytes of it that this run downloaded.'),
  adoptedBytes: about(amount, "Bytes of it that this run took from the user's own Hugging Face cache."),
  repaired: about(texts, 'Files that had changed in the cache and were downloaded or copied again.'),
  loadMs: about(v.nullable(amount), 'The median of the loads.'),
  loads: about(
    v.optional(count, 0),
    'How often a runtime loaded it, in all workers and child processes. A model of several files counts as one.',
  ),
  loadMsTotal: about(
    v.optional(amount, 0),
    'The time of all loads together. Loads at the same time in several processes are added up.',
  ),
  sharing: about(
    v.optional(v.nullable(SharingSchema), null),
    'What it would spare if test files shared the loaded model. Null if nothing, or if that is not known.',
  ),
  testFiles: about(v.optional(texts, []), 'The test files that requested it, in the order of their last requests.'),
})

export const ReportSchema = v.object({
  schemaVersion: v.literal(1),
  startedAt: about(v.optional(v.nullable(date), null), 'ISO 8601.'),
  durationMs: about(v.optional(v.nullable(amount), null), 'From the start of the warm-up to the end of the tests.'),
  mode: about(
    v.optional(v.picklist(['integration', 'unit']), 'integration'),
    '`unit`: tests got mocks, and no model was loaded.',
  ),
  mocks: about(v.optional(count, 0), 'The number of mocks that tests got in unit mode.'),
  requests: about(count, 'Hits, misses and failed requests.'),
  hits: count,
  misses: about(count, 'Models that were downloaded in this run, by the warm-up or on demand.'),
  failed: about(v.optional(count, 0), 'Failed requests whose tests failed.'),
  expectedErrors: about(v.optional(count, 0), 'Failed requests whose tests passed, because they expected the failure.'),
  hitRate: about(
    v.nullable(v.pipe(v.number(), v.minValue(0), v.maxValue(1))),
    'Hits divided by requests, 0 to 1. Null without requests. A failed request is not a hit.',
  ),
  isFirstRun: about(v.optional(v.boolean(), false), 'True if no run of the project was recorded in this cache before.'),
  tiers: about(v.optional(tiers, {}), 'The number of requests that each tier served.'),
  warmUpMs: v.nullable(amount),
  prediction: about(
    v.optional(
      v.nullable(
        v.object({
          used: about(texts, 'Models that were predicted and used: `org/name[@revision]`.'),
          unused: about(texts, 'Models that were predicted and not used.'),
          unpredicted: about(texts, 'Models that were used and not predicted.'),
        }),
      ),
      null,
    ),
    'What was predicted for the test files, and what they used. Null if nothing was predicted.',
  ),
  prefetch: about(
    v.optional(
      v.nullable(
        v.object({
          aheadMs: about(amount, 'Milliseconds from the start of the tests to the end of the last download.'),
          models: about(texts, 'Models that arrived while tests ran: `org/name[@revision]`.'),
          unfinished: about(texts, 'Models whose download was not at its end when the tests were.'),
        }),
      ),
      null,
    ),
    'The downloads during which tests ran. Null if all models were there before the tests.',
  ),
  times: about(
    v.optional(v.object({ lookup: distribution, restore: distribution, download: distribution, load: distribution }), {
      lookup: null,
      restore: null,
      download: null,
      load: null,
    }),
    'The times of each step. Null if there was no such step.',
  ),
  ownMs: about(
    v.optional(v.object({ main: v.nullable(amount), workers: distribution, children: distribution }), {
      main: null,
      workers: null,
      children: null,
    }),
    "The plugin's own time in milliseconds: in the main process until the report was made, in the worker of each test file that requested a model, and in each child process that did. Downloads and loads are not included.",
  ),
  threads: about(
    v.optional(v.nullable(v.picklist(['shared', 'as-is'])), null),
    'The option `threads` of the projects whose tests loaded models. `shared` if one of them has it. Null if no model was loaded.',
  ),
  savedMs: about(v.nullable(amount), 'The recorded time of the downloads that were not needed again. Null if unknown.'),
  savedBytes: amount,
  downloadedBytes: v.optional(amount, 0),
  restoredBytes: about(v.optional(amount, 0), 'Bytes that came from the remote.'),
  unpackedBytes: about(v.optional(amount, 0), 'Bytes that were restored from pack files.'),
  adoptedBytes: v.optional(amount, 0),
  repaired: about(
    v.optional(count, 0),
    'The number of files that had changed in the cache and were downloaded or copied again.',
  ),
  evicted: about(v.optional(texts, []), 'Models that were removed for size.'),
  expired: about(v.optional(texts, []), 'Models that were removed for age.'),
  freedBytes: about(v.optional(amount, 0), 'Bytes that these removals freed.'),
  models: v.array(ModelReportSchema),
  errors: about(
    v.array(
      v.object({
        ...{ model: text, code: text, message: text },
        requests: about(v.optional(count, 1), '0 if only the warm-up failed.'),
        testFiles: v.optional(texts, []),
      }),
    ),
    'The failures that no test expected. Equal failures are listed once.',
  ),
  errorCounts: about(
    v.optional(v.record(text, count), {}),
    'The number of failed requests by code, without those that a test expected.',
  ),
  cache: v.nullable(v.object({ directory: text, size: amount, maxSize: amount, entries: count })),
})

const StepsSchema = v.object({ lookup: amount, restore: amount, download: amount, load: amount })

const TimelineSchema = v.array(
  v.object({
    model: about(text, '`org/name[@revision]`'),
    testFile: about(v.nullable(text), 'Null for the warm-up.'),
    tier: v.picklist(TIERS),
    at: about(v.pipe(v.number(), v.finite()), 'The time of the request, in milliseconds since the epoch.'),
    steps: about(StepsSchema, 'Milliseconds of each step, in the order of the steps.'),
    bytes: amount,
  }),
)

/** The record of a run under `runs/`. */
export const RunSchema = v.object({
  id: text,
  startedAt: date,
  project: text,
  used: v.array(v.object({ repo: text, revision: text, testFiles: texts, files: v.optional(texts, []) })),
  report: ReportSchema,
  timeline: v.optional(TimelineSchema, []),
})

/** Checks a run record, which is outside input. Undefined if it is damaged. */
export function parseRun(record: unknown): Run | undefined {
  const result = v.safeParse(RunSchema, record)
  return result.success ? result.output : undefined
}
