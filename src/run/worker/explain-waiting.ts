import type { Manifest } from '../../cache/context/manifest.ts'
import type { Progress } from '../../cache/context/progress.ts'
import { formatSize } from '../../config/units.ts'
import { modelLabel } from '../../model/model.ts'

/** The beginning of each explanation. */
export const WAITED_FOR = 'It was waiting for'

/** The line of a config that declares models; `models` is an array as source text. */
type Declaration = (models: string) => string

const ofPlugin: Declaration = (models) => `modelCache({ models: ${models} })`

/** Explains why a test timed out: which downloads it was waiting for, and what to do. One line. */
export function explainWaiting(downloads: Progress[], manifest: Manifest, declaration = ofPlugin): string {
  const models = [...new Set(downloads.map(({ model }) => model))]
  const received = downloads.reduce((sum, { receivedBytes }) => sum + receivedBytes, 0)
  const total = downloads.reduce((sum, { totalBytes }) => sum + totalBytes, 0)
  const bytes =
    total > 0 ? `${formatSize(received)} of ${formatSize(total)} had arrived` : 'the Hub had not answered yet'
  return [
    `${WAITED_FOR} the download of ${models.join(', ')}: ${bytes}.`,
    ...advice(models, manifest, declaration),
  ].join(' ')
}

/** Advises to declare the models, except for those that the warm-up knows already. */
function advice(models: string[], { failures, models: warmed }: Manifest, declaration: Declaration): string[] {
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
    ...(undeclared.length > 0 ? [`Download it before the tests: ${declaration(`[${undeclared.join(', ')}]`)}.`] : []),
  ]
}
