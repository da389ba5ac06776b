import { isObject } from '../model/json.ts'

/** Why a session with these options loads its file plainly. Undefined where the options allow mapped loading. */
export function whyPlain(options: object | undefined): string | undefined {
  if (optionOf(options, 'externalData') !== undefined) return 'the session has external data of its own'
  if (optionOf(options, 'optimizedModelFilePath') !== undefined) return 'the session writes an optimized model'
  return isForCpu(options) ? undefined : 'the session does not run on the CPU only'
}

/** True for no execution providers, which means the CPU, and for the CPU alone. */
function isForCpu(options: object | undefined): boolean {
  const providers = optionOf(options, 'executionProviders') ?? []
  if (!Array.isArray(providers)) return false
  return providers.every((provider) => (isObject(provider) ? provider.name : provider) === 'cpu')
}

/** Null counts as no option. */
export function optionOf(options: object | undefined, name: string): unknown {
  return Reflect.get(Object(options), name) ?? undefined
}
