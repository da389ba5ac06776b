import type { Session } from '../session.ts'
import type { FinishedRun } from './finished-run.ts'

/** Notes the models that the run downloaded from the Hub, and that have a remote to be sent to. True if there is something to send. */
export function noteDownloaded({ toUpload }: Session, { reports, warmUps }: FinishedRun): boolean {
  const models = [
    ...reports.flatMap(({ project, requests }) => requests.map((request) => ({ project, ...request }))),
    ...warmUps.flatMap(({ project, models }) => models.map((model) => ({ project, ...model }))),
  ]
  for (const { project, tier, repo, commit } of models) {
    // Where the cache folder is refused, the models are in a temporary folder.
    if (tier !== 'hub' || !project.options.remote || project.cache.context.refusal) continue
    const ofCache = toUpload.get(project.cache) ?? new Set()
    toUpload.set(project.cache, ofCache.add(`${repo}@${commit}`))
  }
  return toUpload.size > 0
}
