import type { Manifest } from '../cache/context/manifest.ts'
import type { Progress } from '../cache/context/progress.ts'
import { formatSize } from '../config/units.ts'
import { modelLabel } from '../model/model.ts'
import { printableLines } from '../model/printable.ts'

interface Failed {
  result?: { errors?: { message: string; stack?: string }[] }
}

const NOTE = 'It was waiting for'

/**
 * Says of a test or a hook that timed out which download it was waiting for: "Test timed out" alone helps nobody. True when
 * something was said.
 */
export function explainTimeout({ result }: Failed, downloads: Progress[], manifest: Manifest): boolean {
  const errors = downloads.length === 0 ? [] : (result?.errors ?? []).filter(isUnexplained)
  for (const error of errors) {
    const message = `${error.message}\n${printableLines(explanation(downloads, manifest))}`
    error.stack = error.stack?.replace(error.message, () => message)
    error.message = message
  }
  return errors.length > 0
}

function isUnexplained({ message }: { message: string }): boolean {
  return /^(Test|Hook) timed out in /.test(message) && !message.includes(NOTE)
}

function explanation(downloads: Progress[], manifest: Manifest): string {
  const models = [...new Set(downloads.map(({ model }) => model))]
  const received = downloads.reduce((sum, { receivedBytes }) => sum + receivedBytes, 0)
  const total = downloads.reduce((sum, { totalBytes }) => sum + totalBytes, 0)
  const bytes = total > 0 ? `${formatSize(received)} of ${formatSize(total)} had come` : 'the Hub had not answered yet'
  return [`${NOTE} the download of ${models.join(', ')}: ${bytes}.`, ...advice(models, manifest)].join(' ')
}

/** Says to declare a model that is not declared. For a model that the warm-up knows, that advice would be of no use. */
function advice(models: string[], { failures, models: warmed }: Manifest): string[] {
  const failed = failures.filter((failure) => models.includes(modelLabel(failure)))
  const labels = warmed.flatMap(({ names, revision }) => names.map((repo) => modelLabel({ repo, revision })))
  const others = models.filter((model) => labels.includes(model) && !failed.some((of) => modelLabel(of) === model))
  const known = [...failed.map(modelLabel), ...others]
  const undeclared = models.filter((model) => !known.includes(model)).map((model) => `'${model}'`)
  return [
    ...failed.map(
      ({ error }) => `The warm-up had failed: ${error.asked}: ${error.reason} ${error.nextStep} [${error.code}]`,
    ),
    ...others.map(
      (model) =>
        `${model} was warmed, but not these files: declare it with the \`task\`, \`dtype\` or \`files\` of the test.`,
    ),
    ...(undeclared.length > 0
      ? [`Download it before the tests: modelCache({ models: [${undeclared.join(', ')}] }).`]
      : []),
  ]
}
