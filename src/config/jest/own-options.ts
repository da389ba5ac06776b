import { ModelCacheError } from '../../model/errors.ts'
import type { Environment } from '../environment-variables.ts'
import { type ModelCacheOptions, type Options, resolveOptions } from '../options.ts'
import { isUserRemote } from '../remote-settings.ts'
import { OPTIONS, OWNER } from './option-keys.ts'

// On the global object: the config file and the global setup may load this module twice, as CommonJS and as ES modules do.
const SECRETS = Symbol.for('vitest-model-cache.jest-options')

/**
 * The options that Jest may pass to workers. It passes them as JSON, and prints them with `--showConfig`. So a token and a remote of
 * the user's own stay in this process.
 */
export function optionsForConfig(options: ModelCacheOptions): object {
  const { token, ...hub } = options.hub ?? {}
  const isOwnRemote = isUserRemote(options.remote)
  const passed: object = JSON.parse(
    JSON.stringify({ ...options, hub: options.hub && hub, remote: isOwnRemote ? undefined : options.remote }),
  )
  if (token !== undefined || isOwnRemote) kept().set(JSON.stringify(passed), options)
  return passed
}

/**
 * The options in the `testEnvironmentOptions` of a project. `runRoot` is the root of the whole run. Throws `INVALID_OPTION` and
 * `INVALID_MODEL`.
 */
export function optionsIn(
  { testEnvironmentOptions, rootDir }: { testEnvironmentOptions: Record<string, unknown>; rootDir: string },
  env: Environment,
  runRoot: string,
): Options {
  const passed: unknown = testEnvironmentOptions[OPTIONS] ?? {}
  const whole = kept().get(JSON.stringify(passed))
  const options = resolveOptions(whole ?? passed, env, rootDir, runRoot, OWNER)
  if (whole !== undefined || options.hub.token === undefined) return options
  throw new ModelCacheError({
    code: 'INVALID_OPTION',
    asked: 'Option `hub.token` in `testEnvironmentOptions.modelCache`',
    reason: 'Jest hands environment options to every worker, and a token must not go there.',
    nextStep: 'Set HF_TOKEN, or use withModelCache({ modelCache: { hub: { token } } }).',
  })
}

function kept(): Map<string, ModelCacheOptions> {
  const global: object = globalThis
  const holder: { [SECRETS]?: Map<string, ModelCacheOptions> } = global
  holder[SECRETS] ??= new Map()
  return holder[SECRETS]
}
