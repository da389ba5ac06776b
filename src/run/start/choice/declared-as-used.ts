import type { Entry } from '../../../model/entry.ts'
import { type Model, modelKey } from '../../../model/model.ts'
import { isDefaultSelection, selectionKey } from '../../../model/selection.ts'

/**
 * The declared models, with the files that the tests use. A declared model is replaced by the last runs' uses of it if
 *
 * 1. its declaration names no files, so that the default rules choose them,
 * 2. the last runs used the model, and always with a selection that names files, and
 * 3. no earlier run used the model by the default rules. Such a use may be of a test that the last runs left out.
 *
 * So a new commit is downloaded with the files that the tests use. `entries` is called only if (1) and (2) hold for a model.
 */
export async function declaredAsUsed(
  declared: Model[],
  lastUsed: Model[],
  entries: () => Promise<Entry[]>,
): Promise<Model[]> {
  const usesOf = (model: Model) => lastUsed.filter((use) => modelKey(use) === modelKey(model))
  const mayBeReplaced = (model: Model) =>
    isDefaultSelection(model.selection) &&
    usesOf(model).length > 0 &&
    !usesOf(model).some(({ selection }) => isDefaultSelection(selection))
  if (!declared.some(mayBeReplaced)) return declared
  const usedByDefault = (await entries()).filter(({ selections }) => selections.some(isUsedDefault))
  const repos = new Set<string>(usedByDefault.map(({ repo }) => repo))
  return declared.flatMap((model) =>
    mayBeReplaced(model) && !repos.has(model.repo) ? usesOf(model).map((use) => ({ ...use, pin: model.pin })) : [model],
  )
}

function isUsedDefault({ key, used }: Entry['selections'][number]): boolean {
  return used && key === selectionKey({})
}
