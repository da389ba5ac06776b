import type { Progress } from '../cache/progress.ts'
import { formatSize } from '../config/units.ts'

interface Failed {
  result?: { errors?: { message: string; stack?: string }[] }
}

/** Says of a test or a hook that timed out which download it was waiting for: "Test timed out" alone helps nobody. */
export function explainTimeout({ result }: Failed, underWay: Iterable<Progress>): void {
  const downloads = [...underWay]
  if (downloads.length === 0) return
  for (const error of result?.errors ?? []) {
    if (!/^(Test|Hook) timed out in /.test(error.message) || error.message.includes(NOTE)) continue
    const message = `${error.message}\n${explanation(downloads)}`
    error.stack = error.stack?.replace(error.message, message)
    error.message = message
  }
}

const NOTE = 'It was waiting for'

function explanation(downloads: Progress[]): string {
  const models = [...new Set(downloads.map(({ model }) => model))]
  const received = downloads.reduce((sum, { receivedBytes }) => sum + receivedBytes, 0)
  const total = downloads.reduce((sum, { totalBytes }) => sum + totalBytes, 0)
  const bytes = total > 0 ? `${formatSize(received)} of ${formatSize(total)} had come` : 'the Hub had not answered yet'
  const declared = models.map((model) => `'${model}'`).join(', ')
  return `${NOTE} the download of ${models.join(', ')}: ${bytes}. Have it brought in before the tests: modelCache({ models: [${declared}] }).`
}
