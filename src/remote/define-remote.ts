import { isUserRemote } from '../config/remote-settings.ts'
import { ModelCacheError } from '../model/errors.ts'
import type { UserRemote } from '../model/remote-object.ts'

/**
 * A remote of your own, for the option `remote`. It works in the main process, which downloads models before the tests; workers can't get
 * its functions. Throws `INVALID_OPTION`.
 */
export function defineRemote<Own extends UserRemote>(remote: Own): Own {
  if (isUserRemote(remote)) return remote
  throw new ModelCacheError({
    code: 'INVALID_OPTION',
    asked: 'The remote of defineRemote()',
    reason: 'It lacks a method.',
    nextStep: 'Give an object with the methods `get`, `put` and `has`. `list` and `remove` are optional.',
  })
}
