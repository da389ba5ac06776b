import type { Fault } from '../hub/index.ts'

/** One fault, applied to the first request for a file or to all, and the expected outcome of our client. */
export interface Row {
  /** The name in the table. */
  name: string
  /** The file with the fault. A row without a fault is the control. */
  file: string
  fault?: Fault
  times?: number
  /** True if the server sends nothing more: a client without a time limit waits for minutes or forever. */
  isEndless: boolean
  /** The expected outcome of our client, as the table shows it. */
  ours: string
}

const WEIGHTS = 'onnx/model.onnx'
// Five attempts of this length are shorter than the model, so a download that breaks there every time never completes.
const CUT = 300_000
const MINUTES = 600_000

interface FaultOfTheHub {
  name: string
  fault: Fault
  file?: string
  isEndless?: boolean
  once: string
  always?: string
}

const FAULTS: FaultOfTheHub[] = [
  { name: 'response a second late', fault: { delayMs: 1_000 }, once: 'ok' },
  {
    name: 'no response',
    fault: { delayMs: MINUTES },
    isEndless: true,
    once: 'retried: ok',
    always: '`BROKEN_DOWNLOAD`; next run ok',
  },
  {
    name: 'connection closed before the response',
    fault: 'refused',
    once: 'retried: ok',
    always: '`HUB_UNREACHABLE`; next run ok',
  },
  {
    name: '429, `Retry-After: 1`',
    fault: { status: 429, retryAfter: 1 },
    once: 'retried: ok',
    always: '`HUB_ERROR`; next run ok',
  },
  { name: '500', fault: { status: 500 }, once: 'retried: ok', always: '`HUB_ERROR`; next run ok' },
  { name: '503', fault: { status: 503 }, once: 'retried: ok', always: '`HUB_ERROR`; next run ok' },
  {
    name: '404',
    fault: { status: 404 },
    once: '`FILE_NOT_FOUND`; next run ok',
    always: '`FILE_NOT_FOUND`; next run ok',
  },
  {
    name: '401',
    fault: { status: 401 },
    once: '`MODEL_NOT_FOUND`; next run ok',
    always: '`MODEL_NOT_FOUND`; next run ok',
  },
  {
    name: '403',
    fault: { status: 403 },
    once: '`ACCESS_DENIED`; next run ok',
    always: '`ACCESS_DENIED`; next run ok',
  },
  {
    name: 'web page instead of the weights',
    fault: { html: true },
    once: 'retried: ok',
    always: '`BROKEN_DOWNLOAD`; next run ok',
  },
  {
    name: 'web page instead of `config.json`',
    fault: { html: true },
    file: 'config.json',
    once: 'retried: ok',
    always: '`BROKEN_DOWNLOAD`; next run ok',
  },
  {
    name: 'body shorter than its `Content-Length`',
    fault: { truncate: CUT },
    once: 'resumed: ok',
    always: '`BROKEN_DOWNLOAD`, part left; next run resumes',
  },
  {
    name: 'short body, chunked',
    fault: { truncate: CUT, contentLength: false },
    once: 'resumed: ok',
    always: '`BROKEN_DOWNLOAD`, part left; next run resumes',
  },
  {
    name: 'short body, matching `Content-Length`',
    fault: { shortBody: CUT },
    once: 'retried: ok',
    always: '`BROKEN_DOWNLOAD`; next run ok',
  },
  {
    name: 'one byte changed',
    fault: { flipByte: 2 * CUT },
    once: 'retried: ok',
    always: '`DIGEST_MISMATCH`; next run ok',
  },
  {
    name: 'stall in the middle of the body',
    fault: { stallAfter: CUT },
    isEndless: true,
    once: 'resumed: ok',
    always: '`BROKEN_DOWNLOAD`, part left; next run resumes',
  },
  {
    name: 'slow body: 500 bytes a second',
    fault: { bytesPerSecond: 500 },
    isEndless: true,
    once: 'resumed: ok',
    always: '`BROKEN_DOWNLOAD`, part left; next run resumes',
  },
  {
    name: 'connection reset in the middle of the body',
    fault: { reset: CUT },
    once: 'resumed: ok',
    always: '`BROKEN_DOWNLOAD`, part left; next run resumes',
  },
]

export const CONTROL: Row = { name: 'none', file: WEIGHTS, isEndless: false, ours: 'ok' }

export const ROWS: Row[] = [CONTROL, ...FAULTS.flatMap(rowsOf)]

function rowsOf({ name, fault, file = WEIGHTS, isEndless = false, once, always }: FaultOfTheHub): Row[] {
  const row = { file, fault, isEndless }
  const first: Row = { ...row, name: `${name}, once`, times: 1, ours: once }
  return always === undefined ? [first] : [first, { ...row, name: `${name}, always`, ours: always }]
}
