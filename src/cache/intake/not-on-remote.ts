import { asSentence, ModelCacheError } from '../../model/errors.ts'
import type { HubPath } from '../../model/hub-path.ts'
import { modelLabel } from '../../model/model.ts'
import { type FileTarget, targetLabel } from './file-target.ts'

/** A file could not be taken from the remote, and this cache downloads nothing from the Hub. */
export class NotOnRemote extends ModelCacheError {
  readonly path: HubPath

  /** `leftAlone`: why the remote is not used any more. */
  constructor(target: FileTarget, leftAlone: string | undefined) {
    const { refusal } = target.onRemote
    super({
      code: refusal === undefined ? 'REMOTE_UNUSABLE' : 'ACCESS_DENIED',
      asked: `File ${targetLabel(target)}`,
      reason: asSentence(refusal ?? leftAlone ?? 'The remote does not have it, or what it has is wrong'),
      nextStep: `Download it from the Hub: \`npx vitest-model-cache warm ${modelLabel(target.model)}\`.`,
    })
    this.path = target.path
  }
}
