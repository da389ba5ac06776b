import type { Entry } from '../model/entry.ts'
import { type Model, modelKey } from '../model/model.ts'
import { isDefaultSelection, selectionKey } from '../model/selection.ts'

/**
 * The declared models, each by what the tests use of it: where the declaration leaves the choice of files to the rules, and the last
 * runs used other files of the model, those are warmed in its place. A new commit of the model is then downloaded as it is used. A
 * choice by the rules that any test ever used is kept: the last runs may have left that test out. Pure.
 */
export function declaredAsUsed(declared: Model[], lastUsed: Model[], entries: Entry[]): Model[] {
  const usedByRule = new Set<string>(
    entries.flatMap(({ repo, selections }) =>
      selections.some(({ key, used }) => used && key === selectionKey({})) ? [repo] : [],
    ),
  )
  return declared.flatMap((model) => {
    const uses = lastUsed.filter((use) => modelKey(use) === modelKey(model))
    const isByRule = uses.length === 0 || uses.some(({ selection }) => isDefaultSelection(selection))
    if (!isDefaultSelection(model.selection) || isByRule || usedByRule.has(model.repo)) return [model]
    return uses.map((use) => ({ ...use, pin: model.pin }))
  })
}
