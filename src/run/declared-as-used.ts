import type { Entry } from '../model/entry.ts'
import { type Model, modelKey } from '../model/model.ts'
import { isDefaultSelection, selectionKey } from '../model/selection.ts'

/**
 * The declared models, each by what the tests use of it: where the declaration leaves the choice of files to the rules, and the last
 * runs used other files of the model, those are warmed in its place. A new commit of the model is then downloaded as it is used. A
 * choice by the rules that any test ever used is kept: the last runs may have left that test out. `entries` is asked for only
 * where that matters.
 */
export async function declaredAsUsed(
  declared: Model[],
  lastUsed: Model[],
  entries: () => Promise<Entry[]>,
): Promise<Model[]> {
  const usesOf = (model: Model) => lastUsed.filter((use) => modelKey(use) === modelKey(model))
  const isReplaced = (model: Model) =>
    isDefaultSelection(model.selection) &&
    usesOf(model).length > 0 &&
    !usesOf(model).some(({ selection }) => isDefaultSelection(selection))
  if (!declared.some(isReplaced)) return declared
  const chosenByRule = (await entries()).filter(({ selections }) => selections.some(isUsedDefault))
  const repos = new Set<string>(chosenByRule.map(({ repo }) => repo))
  return declared.flatMap((model) =>
    isReplaced(model) && !repos.has(model.repo) ? usesOf(model).map((use) => ({ ...use, pin: model.pin })) : [model],
  )
}

function isUsedDefault({ key, used }: Entry['selections'][number]): boolean {
  return used && key === selectionKey({})
}
