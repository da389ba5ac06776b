import type { Expression, Facts, Use } from './facts.ts'

/** Facts with more values are cut. Source files that are written by hand have far fewer. */
const MOST_VALUES = 500

// Media types and paths of files look like ids.
const NO_ID =
  /^(application|audio|font|image|multipart|text|video)\/|\.([cm]?[jt]sx?|json|md|css|html|txt|png|jpe?g|svg|wav|mp3)$/

/** A text that may be the id of a model: `org/name`, perhaps with a revision. */
export function isLikeId(text: string): boolean {
  return /^\w[\w.-]*\/\w[\w.-]*(@[\w./-]+)?$/.test(text) && !NO_ID.test(text)
}

/** True for a value that may name a model, or that another place may complete. */
export function isRelevant(value: Expression): boolean {
  if (typeof value === 'string') return isLikeId(value) || /^https?:\/\//.test(value)
  if (typeof value !== 'object' || value === null) return false
  if ('ref' in value || 'from' in value || 'param' in value) return true
  return partsOf(value).some(isRelevant)
}

/** True for a value that depends on a name of the file or on another module. */
export function hasReference(value: Expression): boolean {
  if (typeof value !== 'object' || value === null) return false
  return 'ref' in value || 'from' in value || partsOf(value).some(hasReference)
}

/** The facts without the names and uses that tell nothing about models. */
export function keepNeeded(facts: Facts): Facts {
  const own = (name: string) => (Object.hasOwn(facts.names, name) ? facts.names[name] : undefined)
  const isKnown = (value: Expression): boolean => namesATextOrModule(value, own, 0)
  const uses = distinct(facts.uses).filter(({ value }) => isKnown(value))
  const exports = Object.entries(facts.exports).filter(([, value]) => isKnown(value))
  const calls = facts.calls.filter(({ loader, callee }) => loader !== undefined || isOfProject(callee, own))
  const ofCalls = calls.flatMap(({ args, callee = null }) => [callee, ...args])
  const roots = [...uses.map(({ value }) => value), ...exports.map(([, value]) => value), ...ofCalls]
  const names = new Map<string, Expression>()
  const todo = roots
  for (const value of todo) {
    if (typeof value !== 'object' || value === null) continue
    const named = 'ref' in value && !names.has(value.ref) ? own(value.ref) : undefined
    if ('ref' in value && named !== undefined) {
      names.set(value.ref, named)
      todo.push(named)
    }
    todo.push(...partsOf(value))
  }
  if (todo.length > MOST_VALUES * 20) return { ...facts, isWhole: false, names: {}, exports: {}, calls: [], uses: [] }
  return {
    ...facts,
    isWhole: facts.isWhole && uses.length <= MOST_VALUES && calls.length <= MOST_VALUES,
    names: Object.fromEntries(names),
    exports: Object.fromEntries(exports),
    uses: uses.slice(0, MOST_VALUES),
    calls: calls.slice(0, MOST_VALUES),
  }
}

/** The expressions that an expression consists of. */
export function partsOf(value: Expression): Expression[] {
  if (typeof value !== 'object' || value === null) return []
  if ('get' in value) return [value.get]
  if ('fields' in value) return Object.values(value.fields)
  if ('items' in value) return value.items
  if ('each' in value) return [value.each]
  if ('any' in value) return value.any
  if ('text' in value) return value.text
  if ('or' in value) return [value.first, value.or]
  return []
}

/** The functions of test runners take no ids. */
const RUNNERS = /^(vitest|@jest\/globals|node:.*|chai)$/

/** True for a function that may be one of the project. */
function isOfProject(callee: Expression | undefined, own: (name: string) => Expression | undefined): boolean {
  if (typeof callee !== 'object' || callee === null || !('ref' in callee)) return false
  const named = own(callee.ref)
  if (typeof named !== 'object' || named === null) return false
  return 'from' in named ? !RUNNERS.test(named.from) : 'call' in named || 'any' in named || 'get' in named
}

function namesATextOrModule(value: Expression, own: (name: string) => Expression | undefined, depth: number): boolean {
  if (typeof value === 'string') return true
  if (typeof value !== 'object' || value === null || depth > 20) return false
  if ('from' in value || 'call' in value) return true
  const parts = 'ref' in value ? [own(value.ref) ?? null] : partsOf(value)
  return parts.some((part) => namesATextOrModule(part, own, depth + 1))
}

function distinct(values: Use[]): Use[] {
  return [...new Map(values.map((value) => [JSON.stringify(value), value])).values()]
}
