// Workers read this file. They load no code that checks options.

/** The key of our options in `testEnvironmentOptions`. */
export const OPTIONS = 'modelCache'

/** What has the options, in messages. */
export const OWNER = `\`${OPTIONS}\``

/** The key of the user's global setup and teardown, which ours call. */
export const CHAIN = 'modelCacheCalls'

/** The paths of the user's global setup and teardown. */
export interface UsersHooks {
  globalSetup?: string | undefined
  globalTeardown?: string | undefined
  /** True if they are those of the config around the projects. */
  isOfRun?: boolean
}
