import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type FileReport, isEmpty } from '../../model/request.ts'
import { randomBytes } from '../../platform/late-crypto.ts'
import { originals } from '../../platform/originals.ts'
import type { LeftReport } from '../left-report.ts'

/**
 * Leaves the report of one test file for the main process, under a runner that passes no data of ours. The report is written again
 * after each request: a worker that crashes can't write at its end.
 */
export class ReportFile {
  readonly #path: string
  #isDue = false

  /** `events` is the project's folder for events. */
  constructor(
    readonly events: string,
    readonly file: Pick<LeftReport, 'project' | 'testFile'>,
    readonly collected: () => FileReport,
  ) {
    this.#path = join(events, `${randomBytes(6).toString('hex')}-${originals.pid}.report.json`)
  }

  /** Writes the report soon: several requests at the same time are written once. */
  writeSoon(): void {
    if (this.#isDue) return
    this.#isDue = true
    originals.setImmediate(() => {
      if (this.#isDue) this.write(this.collected())
    })
  }

  write(report: FileReport): void {
    this.#isDue = false
    if (isEmpty(report)) return
    const left: LeftReport = { ...this.file, ...report }
    const temporary = `${this.#path}.new`
    try {
      mkdirSync(this.events, { recursive: true, mode: 0o700 })
      writeFileSync(temporary, JSON.stringify(left), { mode: 0o600 })
      renameSync(temporary, this.#path)
    } catch {
      // The run is over, or the cache folder became read-only.
    }
  }
}
