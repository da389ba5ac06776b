import { callUsersHooks } from './run/call-users-hooks.ts'
import { endRun } from './run/end-run.ts'
import { currentRun, type JestRun } from './run/session.ts'
import type { GlobalConfig } from './types.ts'

/**
 * Ends the run once: releases the claims on models, and removes what the run left for its workers. With `--bail`, Jest 30 calls this for
 * each result that comes after the failure, and ends this process when the first call has resolved.
 */
export default async function globalTeardown(globalConfig: GlobalConfig): Promise<void> {
  const run = currentRun()
  if (!run) return
  run.ended ??= tearDown(run, globalConfig)
  await run.ended
}

async function tearDown(run: JestRun, globalConfig: GlobalConfig): Promise<void> {
  try {
    await callUsersHooks('globalTeardown', globalConfig, run.projects)
  } finally {
    await endRun(run, globalConfig)
  }
}
