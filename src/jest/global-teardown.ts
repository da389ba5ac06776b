import { callUsersHooks } from './run/call-users-hooks.ts'
import { endRun } from './run/end-run.ts'
import { currentRun } from './run/session.ts'
import type { GlobalConfig } from './types.ts'

/** Ends the run: releases the claims on models, and removes what the run left for its workers. */
export default async function globalTeardown(globalConfig: GlobalConfig): Promise<void> {
  const run = currentRun()
  if (!run) return
  try {
    await callUsersHooks('globalTeardown', globalConfig, run.projects)
  } finally {
    await endRun(run, globalConfig)
  }
}
