import type { Node } from '@babel/types'
import { bind, named, valuesOf } from './evaluate.ts'
import { isLikeId } from './glance.ts'
import { mayBeSkipped, maySkipItself } from './may-be-skipped.ts'
import { type Loaded, modelOfCall, TRANSFORMERS } from './model-of-call.ts'
import { calleeName, childrenOf, isFunction, keyOf, literal } from './syntax.ts'
import {
  type Code,
  combinations,
  type FunctionNode,
  type Module,
  ProjectFunction,
  type Scope,
  textsIn,
  UNKNOWN,
  Unknown,
  WholeModule,
} from './values.ts'

/** What one place in a file says about models. */
export interface Finding extends Loaded {
  /** The loader of the call. Undefined if the id is used in another place. */
  loader?: string
  /** The full name of the test around. */
  test?: string
  /** The files of the functions that lead to the call. */
  through: string[]
}

export interface Loads {
  found: Finding[]
  /** The functions of the project whose calls were followed. */
  called: Set<Node>
}

/** Where the walk through a file is. */
interface Place {
  scope: Scope
  through: string[]
  /** The names of the test and of its suites. Undefined if one of them is not literal. */
  titles?: string[] | undefined
  isInTest?: boolean
  /** True at the top of the file and in suites, where tests are declared. */
  isInSuite?: boolean
  /** True in the value of a constant at the top. It counts where the constant is used. */
  isConstant?: boolean
}

type CallNode = Extract<Node, { type: 'CallExpression' | 'OptionalCallExpression' | 'NewExpression' }>

const MOST_ITEMS = 30
/** No loader takes more arguments that matter. */
const MOST_ARGUMENTS = 3
/** How many functions of the project a call may go through. */
const DEEPEST_CALL = 4
const TESTS = /^(test|it|describe|suite|fit|fdescribe|bench)(\.|$)/
const SUITES = /^(describe|suite|fdescribe)(\.|$)/
const HOOKS = /^(before|after)(All|Each)$/
const METHODS_OF_LISTS = /^(forEach|map|flatMap)$/
const OURS = /^vitest-model-cache(\/|$)/

/** What a file says about models, with the functions of other files that it calls. */
export function findLoads(code: Code, module: Module): Loads {
  const finder = new Finder()
  code.start()
  const place = { scope: { code, module, locals: new Map() }, through: [], titles: [], isInSuite: true }
  try {
    finder.walk(module.program, place)
  } catch {
    // Code that is nested too deeply for the stack.
    code.end()
  }
  if (code.isOver) finder.found.push({ isOpen: true, through: [] })
  return finder
}

class Finder implements Loads {
  readonly found: Finding[] = []
  readonly called = new Set<Node>()

  walk(node: Node, place: Place): void {
    if (!place.scope.code.step() || this.#isRead(node, place)) return
    for (const child of childrenOf(node)) this.walk(child, place)
  }

  /** Notes what a node tells. True if nothing below it is left to walk. */
  #isRead(node: Node, place: Place): boolean {
    switch (node.type) {
      case 'ImportDeclaration':
        return true
      case 'IfStatement':
        // Tests that are declared only in some runs.
        if (place.isInSuite) this.#add({ isOpen: true }, place)
        return place.isInSuite === true
      case 'MemberExpression':
        // The test expects that the model can't be loaded.
        return keyOf(node.property, node.computed) === 'rejects'
      case 'StringLiteral':
      case 'TemplateLiteral':
        if (!place.isConstant) this.#addIds(literal(node), place)
        return false
      case 'VariableDeclarator':
        if (node.init) this.walk(node.init, { ...place, isConstant: place.scope.locals.size === 0, isInSuite: false })
        return true
      case 'ForOfStatement': {
        const pattern = node.left.type === 'VariableDeclaration' ? node.left.declarations[0]?.id : undefined
        for (const item of itemsOf(node.right, place.scope))
          this.walk(node.body, { ...place, scope: withLocals(place.scope, [pattern], () => [item]) })
        return true
      }
      case 'CallExpression':
      case 'OptionalCallExpression':
      case 'NewExpression':
        this.#walkCall(node, place)
        return true
      default:
        if (isFunction(node)) this.#walkFunction(node, { ...place, isInSuite: false })
        return isFunction(node)
    }
  }

  /** Walks through the body of a function. `args`: the values of its parameters, by index. */
  #walkFunction(node: FunctionNode, place: Place, args: Args = () => [new Unknown({ parameterOf: node })]): void {
    for (const param of node.params) this.walk(param, place)
    this.walk(node.body, { ...place, scope: withLocals(place.scope, node.params, args), isConstant: false })
  }

  #walkCall(node: CallNode, place: Place): void {
    const { scope } = place
    const { callee, arguments: args } = node
    // `test.each(...)(...)` and `test.skipIf(...)(...)` call what a call returns.
    const made = callee.type === 'CallExpression' ? callee : undefined
    const name = calleeName(made?.callee ?? callee) ?? ''
    if (mayBeSkipped(name, args, scope.module)) {
      this.#add({ isOpen: true }, place)
      return
    }
    const loader = made ? undefined : loaderOf(name, callee, scope)
    const values = args.map((argument) => valuesOf(argument, scope))
    if (loader !== undefined)
      for (const each of combinations(values.slice(0, MOST_ARGUMENTS)))
        this.#add({ loader, ...modelOfCall(loader, each) }, place)
    else if (!made) this.#followCall(callee, values, place)
    const inner = { ...place, ...titled(name, node, place), isConstant: false, isInSuite: false }
    this.walk(callee, inner)
    for (const [index, argument] of args.entries()) {
      if (!isFunction(argument)) {
        this.walk(argument, inner)
        this.#addIds(values[index], inner)
      } else if ((TESTS.test(name) || HOOKS.test(name)) && maySkipItself(argument)) this.#add({ isOpen: true }, place)
      else {
        const isInSuite = place.isInSuite === true && SUITES.test(name)
        for (const args of callsOf(name, callee, scope)) this.#walkFunction(argument, { ...inner, isInSuite }, args)
      }
    }
  }

  /** Walks through a function of the project with the arguments of a call, if they may decide which model it loads. */
  #followCall(callee: Node, given: unknown[][], place: Place): void {
    const hasId = textsIn(given).some(isLikeId)
    for (const value of valuesOf(callee, place.scope)) {
      if (!(value instanceof ProjectFunction) || place.through.length >= DEEPEST_CALL) continue
      const { node, scope } = value
      const hasDefault = node.params.slice(given.length).some(({ type }) => type === 'AssignmentPattern')
      if (!hasId && !hasDefault) continue
      this.called.add(node)
      const through = [...place.through, scope.module.path]
      this.#walkFunction(node, { ...place, scope, through, isInSuite: false }, (index) => given[index] ?? [])
    }
  }

  #addIds(value: unknown, place: Place): void {
    for (const id of textsIn(value).filter(isLikeId)) this.#add({ id }, place)
  }

  #add(found: Partial<Finding>, { isInTest, titles, through }: Place): void {
    this.found.push({ ...found, through, ...(isInTest && titles && { test: titles.join(' ') }) })
  }
}

/** The values of the parameters of a function, by index. */
type Args = (index: number) => unknown[]

/** The scope inside a function or a loop. */
function withLocals(scope: Scope, patterns: (Node | undefined)[], args: Args): Scope {
  const locals = new Map(scope.locals)
  for (const [index, pattern] of patterns.entries()) {
    const values = args(index)
    const value = () => values
    if (pattern) bind(pattern, value, (name, value) => locals.set(name, value))
  }
  return { ...scope, locals }
}

/** The arguments with which a callback is called: once for each item of a list, else `undefined` once. */
function callsOf(name: string, callee: Node, scope: Scope): (Args | undefined)[] {
  const made = callee.type === 'CallExpression' && /\.(each|for)$/.test(name) ? callee.arguments[0] : undefined
  const list =
    callee.type === 'MemberExpression' && METHODS_OF_LISTS.test(keyOf(callee.property) ?? '') ? callee.object : made
  if (!list) return [undefined]
  return itemsOf(list, scope).map((item) => {
    // `test.each` calls with the parts of an item, the others with an item.
    if (Array.isArray(item) && name.endsWith('.each')) return (index: number) => item.slice(index, index + 1)
    return (index: number) => [index === 0 ? item : UNKNOWN]
  })
}

/** The items of a list, which may be unknown. */
function itemsOf(list: Node, scope: Scope): unknown[] {
  const items = valuesOf(list, scope).flatMap((value) => (Array.isArray(value) ? value : [UNKNOWN]))
  return items.length > MOST_ITEMS ? [...items.slice(0, MOST_ITEMS), UNKNOWN] : items
}

/** Which loader of models is called, such as `pipeline` or `AutoModel.from_pretrained`. Undefined for any other function. */
function loaderOf(name: string, callee: Node, scope: Scope): string | undefined {
  const [last = '', of = ''] = name.split('.').reverse()
  if (last === 'from_pretrained') return `${exportOf(of, scope) ?? of}.${last}`
  if (of === 'models' && /^(pipeline|transcriber|session|path|file)$/.test(last) && 'object' in callee)
    return areOurs(callee.object, scope) ? `models.${last}` : undefined
  return [last, exportOf(name, scope)].find((each) => each === 'pipeline')
}

/** What a name is in transformers.js. It may be imported under another name. */
function exportOf(name: string, scope: Scope): string | undefined {
  const isExport = (value: unknown) => value instanceof Unknown && TRANSFORMERS.test(value.of.from ?? '')
  const found = named(name, scope).find(isExport)
  return found instanceof Unknown ? found.of.name : undefined
}

/** True for `models` of the test context, of `vitest-model-cache/models`, or of no module. */
function areOurs(models: Node, scope: Scope): boolean {
  const [root = ''] = calleeName(models)?.split('.') ?? []
  if (scope.locals.has(root)) return true
  if (!scope.module.names.has(root)) return root === 'models'
  return named(root, scope).some((value) => {
    if (value instanceof WholeModule) return OURS.test(value.specifier)
    return value instanceof Unknown && (value.of.parameterOf !== undefined || OURS.test(value.of.from ?? ''))
  })
}

/** The place inside a test or a suite of tests. */
function titled(name: string, { arguments: given }: CallNode, { titles }: Place): Pick<Place, 'titles' | 'isInTest'> {
  if (!TESTS.test(name)) return {}
  const title = literal(given[0])
  // The names of `test.each` are made from its values.
  const isKnown = title !== undefined && titles !== undefined && !/\.(each|for)$/.test(name)
  return { titles: isKnown ? [...titles, title] : undefined, ...(!SUITES.test(name) && { isInTest: true }) }
}
