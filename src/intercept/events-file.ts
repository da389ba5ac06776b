import { appendFileSync, existsSync, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import process from 'node:process'
import { threadId } from 'node:worker_threads'
import type { CachedFile } from '../cache/get-file.ts'
import type { Run } from '../cache/store/locks/leases.ts'
import { isGone } from '../cache/store/locks/owner.ts'
import { messageOf, systemCode } from '../model/errors.ts'
import { isObject, isText } from '../model/json.ts'
import { printable } from '../model/printable.ts'
import type { FileReport } from '../model/request.ts'
import type { Span } from '../model/spans.ts'
import { takeOwnMs } from '../platform/own-time.ts'
import { FoldedRequests, type RequestPart } from './folded-requests.ts'

/** The requests of a child process of a test. */
export type ChildEvent = { testFile: string } & FileReport

/** A line of the events file. It adds to the lines above it. */
interface Line {
  testFile: string
  requests: RequestPart[]
  errors: FileReport['errors']
  ownMs: number
}

/**
 * The file in which a child process of a test leaves its requests for the main process. Each request is written at once: a killed
 * server and a terminated thread can't write at their end.
 */
export class EventsFile {
  readonly #path: string
  #requests = new FoldedRequests()
  #isWritten = false
  #isRefused = false

  /** `start` is the start of the path. The rest of the path is different for each process and thread. */
  constructor(
    start: string,
    readonly testFile: string,
    readonly run: Run,
  ) {
    this.#path = `${start}-${process.pid}-${threadId}.jsonl`
  }

  served(file: CachedFile): void {
    this.#write((requests) => ({ requests: [requests.served(file)], errors: [] }))
  }

  loaded(file: string, span: Span): void {
    this.#write((requests) => {
      const part = requests.loaded(file, span)
      return part && { requests: [part], errors: [] }
    })
  }

  failed(repo: string, error: unknown): void {
    this.#write((requests) => {
      const failure = requests.failed(repo, error)
      return failure && { requests: [], errors: [failure] }
    })
  }

  #write(note: (requests: FoldedRequests) => Pick<Line, 'requests' | 'errors'> | undefined): void {
    // In watch mode the main process removes the file at the end of a run. The requests until then are counted.
    if (this.#isWritten && !existsSync(this.#path)) this.#requests = new FoldedRequests()
    const added = note(this.#requests)
    // After the end of the main process nobody would remove the file.
    if (!added || this.#isRefused || isGone(this.run.pid)) return
    const line: Line = { testFile: this.testFile, ...added, ownMs: takeOwnMs() }
    try {
      this.#append(`${JSON.stringify(line)}\n`)
      this.#isWritten = true
    } catch (error) {
      this.#isRefused = true
      process.stderr.write(
        `[model-cache] Requests of a child process are not counted: ${printable(messageOf(error))}\n`,
      )
    }
  }

  #append(line: string): void {
    const append = () => appendFileSync(this.#path, line, { mode: 0o600 })
    try {
      append()
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 })
      append()
    }
  }
}

/** Folds the lines of an events file. The last line can be incomplete: the process may have been killed while writing it. */
export function foldEvents(text: string): ChildEvent[] {
  const lines = text.split('\n').flatMap(parseLine)
  const [first] = lines
  if (first === undefined) return []
  const requests = new FoldedRequests()
  for (const line of lines) for (const part of line.requests) requests.add(part)
  return [
    {
      testFile: first.testFile,
      requests: requests.collected.requests,
      errors: lines.flatMap(({ errors }) => errors),
      ownMs: lines.reduce((sum, { ownMs }) => sum + ownMs, 0),
    },
  ]
}

function parseLine(text: string): Line[] {
  try {
    const line: unknown = text === '' ? undefined : JSON.parse(text)
    return isLine(line) ? [line] : []
  } catch {
    return []
  }
}

function isLine(line: unknown): line is Line {
  if (!isObject(line)) return false
  const { testFile, requests, errors, ownMs } = line
  return isText(testFile) && Array.isArray(requests) && Array.isArray(errors) && typeof ownMs === 'number'
}
