import type { File, Node, Function as SomeFunction } from '@babel/types'
import { isObject, isText } from '../../../model/json.ts'
import { bind } from './bind.ts'
import { calleeName, expressionOf, importedModule, keyOf, literal } from './expression.ts'
import type { Call, Expression, Facts } from './facts.ts'
import { hasReference, isRelevant, keepNeeded } from './keep-needed.ts'
import { choosesSkip, mayBeSkipped, maySkipItself } from './left-out.ts'
import { Notes } from './notes.ts'

type FunctionNode = Extract<SomeFunction, { params: unknown }>
type CallNode = Extract<Node, { type: 'CallExpression' | 'OptionalCallExpression' | 'NewExpression' }>

/** Where in a file the reader is. */
interface Place {
  /** The parameters of the functions around, the innermost first. `null`: the value is unknown. */
  parameters: ReadonlyMap<string, Expression>[]
  within?: string
  /** The names of the test and of its suites. Undefined if one of them is not literal. */
  titles?: string[]
  isInTest?: boolean
  /** True in the value of a constant at the top. It counts where the constant is used. */
  isConstant?: boolean
  /** True at the top of the file and in suites, where tests are declared. */
  isInSuite?: boolean
}

const METHODS_OF_LISTS = /^(forEach|map|flatMap|filter|some|every|find)$/
const TESTS = /^(test|it|describe|suite|fit|fdescribe|bench)(\.|$)/
const SUITES = /^(describe|suite|fdescribe)(\.|$)/
const HOOKS = /^(before|after)(All|Each)$/
const FUNCTIONS =
  /^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression|ClassMethod|ClassPrivateMethod|ObjectMethod)$/
/** Syntax of types. It has no values. */
const TYPES = ['typeAnnotation', 'typeParameters', 'typeArguments', 'returnType', 'superTypeParameters', 'implements']

/** What the syntax tree of a file tells about models. Pure. */
export function readFacts(file: File): Facts {
  const reader = new Reader()
  reader.walk(file.program, { parameters: [], titles: [], isInSuite: true })
  return keepNeeded(reader.notes.facts())
}

class Reader {
  readonly notes = new Notes()
  /** The names of functions that may skip the tests that they get. */
  #conditional = new Set<string>()

  walk(node: Node, place: Place): void {
    if (this.#isRead(node, place)) return
    const isProperty = node.type === 'ObjectProperty' || node.type === 'ClassProperty'
    for (const [key, value] of Object.entries(node)) {
      if (TYPES.includes(key) || (isProperty && key === 'key' && !node.computed)) continue
      for (const child of Array.isArray(value) ? value : [value]) if (isNode(child)) this.walk(child, place)
    }
  }

  /** Notes what the node itself tells. True if nothing below it is left to walk. */
  #isRead(node: Node, place: Place): boolean {
    const { notes } = this
    const read = (value: Node | null | undefined) => this.#expression(value, place)
    const name = (name: string, value: Expression) => notes.name(name, value)
    switch (node.type) {
      case 'ImportDeclaration':
        notes.importNames(node)
        return true
      case 'ExportAllDeclaration':
        if (node.exportKind !== 'type') notes.exportAll(node.source.value)
        return true
      case 'ExportNamedDeclaration':
        if (node.exportKind !== 'type') this.#exportNamed(node, place)
        return true
      case 'ExportDefaultDeclaration':
        this.#exportDefault(node, place)
        return true
      case 'IfStatement':
        // Tests that are declared only in some runs.
        if (place.isInSuite) notes.isWhole = false
        return place.isInSuite === true
      case 'MemberExpression':
        // The test expects that the model can't be loaded.
        return keyOf(node.property, node.computed) === 'rejects'
      case 'VariableDeclarator':
        if (node.id.type === 'Identifier' && choosesSkip(node.init)) this.#conditional.add(node.id.name)
        if (isFunction(node.init)) this.#namedFunction(node.init, place, node.id)
        else if (node.init) {
          bind(node.id, read(node.init), read, name)
          this.walk(node.init, { ...place, isConstant: place.parameters.length === 0 })
        }
        return true
      case 'FunctionDeclaration':
        this.#namedFunction(node, place, node.id)
        return true
      case 'ForOfStatement':
        if (node.left.type === 'VariableDeclaration')
          for (const { id } of node.left.declarations) bind(id, { each: read(node.right) }, read, name)
        return false
      case 'AssignmentExpression':
        notes.assign(node.left, read(node.right))
        return false
      case 'TSEnumDeclaration': {
        const fields = node.members.map(({ id, initializer }) => [keyOf(id, false) ?? '', read(initializer)] as const)
        notes.name(node.id.name, { fields: Object.fromEntries(fields), isOpen: false })
        return true
      }
      case 'StringLiteral':
      case 'TemplateLiteral':
        if (!place.isConstant) notes.use(read(node), testOf(place))
        return false
      case 'ImportExpression':
        this.#import(node)
        return true
      case 'CallExpression':
      case 'OptionalCallExpression':
      case 'NewExpression':
        this.#walkCall(node, place)
        return true
      default:
        if (isFunction(node)) this.#walkFunction(node, place)
        return isFunction(node)
    }
  }

  #namedFunction(node: FunctionNode, place: Place, id: Node | null | undefined): void {
    const name = id?.type === 'Identifier' ? id.name : undefined
    if (name !== undefined) this.notes.name(name, { call: name })
    this.#walkFunction(node, place, name)
  }

  #walkFunction(node: FunctionNode, place: Place, name?: string, values?: (index: number) => Expression): void {
    const parameters = new Map<string, Expression>()
    for (const [index, param] of node.params.entries()) {
      const value = values?.(index) ?? (name === undefined ? null : { param: index, of: name })
      const pattern = param.type === 'TSParameterProperty' ? param.parameter : param
      const read = (node: Node) => this.#expression(node, place)
      bind(pattern, value, read, (name, value) => parameters.set(name, value))
    }
    const within = name ?? place.within
    const isInSuite = place.isInSuite && name === undefined
    const inner = { ...place, parameters: [parameters, ...place.parameters], isConstant: false, within, isInSuite }
    for (const param of node.params) this.walk(param, inner)
    this.walk(node.body, inner)
  }

  #import(node: Node): boolean {
    const module = importedModule(node)
    if (!module) return false
    const from = literal(module)
    if (from === undefined) this.notes.isWhole = false
    else this.notes.import(from)
    return true
  }

  #walkCall(node: CallNode, place: Place): void {
    if (this.#import(node)) return
    const { callee } = node
    const name = calleeName(callee)
    if (mayBeSkipped(callee, node.arguments, this.#conditional)) {
      this.notes.isWhole = false
      return
    }
    if (name !== undefined) this.#noteCall(name, node, place)
    const called = name ?? calleeOfCall(callee) ?? ''
    const isSuite = place.isInSuite && SUITES.test(called)
    const inner = { ...place, ...titled(called, node, place), isConstant: false, isInSuite: isSuite }
    this.walk(callee, inner)
    for (const argument of node.arguments) {
      if (!isFunction(argument)) this.walk(argument, inner)
      else if ((TESTS.test(called) || HOOKS.test(called)) && maySkipItself(argument)) this.notes.isWhole = false
      else this.#walkFunction(argument, inner, undefined, this.#itemsFor(callee, place))
    }
  }

  /** The values of the parameters of a callback that is called for each item of a list. */
  #itemsFor(callee: Node, place: Place): ((index: number) => Expression) | undefined {
    const ofTests = calleeOfCall(callee) ?? ''
    if (callee.type === 'CallExpression' && /\.(each|for)$/.test(ofTests)) {
      const list = this.#expression(callee.arguments[0], place)
      // `test.for` calls with an item and the context, `test.each` with the parts of an item.
      if (ofTests.endsWith('.each')) return (index) => ({ each: list, column: index })
      return (index) => (index === 0 ? { each: list } : null)
    }
    if (callee.type !== 'MemberExpression') return undefined
    if (!METHODS_OF_LISTS.test(keyOf(callee.property, callee.computed) ?? '')) return undefined
    const list = this.#expression(callee.object, place)
    return (index) => (index === 0 ? { each: list } : null)
  }

  #noteCall(name: string, node: CallNode, place: Place): void {
    const args = node.arguments.map((argument) => this.#expression(argument, place))
    this.notes.mock(name, args)
    const { within } = place
    const test = testOf(place)
    const at = { ...(within !== undefined && { within }), ...(test !== undefined && { test }) }
    const called = calledBy(name, (node) => this.#expression(node, place), node.callee)
    if (called.loader !== undefined || args.length === 0 || args.some(isRelevant))
      this.notes.calls.push({ ...called, args, ...at })
    // The texts among the arguments are walked over.
    for (const value of args) if (hasReference(value)) this.notes.use(value, test)
  }

  #exportNamed(node: Extract<Node, { type: 'ExportNamedDeclaration' }>, place: Place): void {
    const { notes } = this
    notes.exportNames(node)
    const { declaration } = node
    if (!declaration) return
    const read = (node: Node) => this.#expression(node, place)
    if (declaration.type === 'VariableDeclaration')
      for (const { id } of declaration.declarations) bind(id, null, read, (name) => notes.export(name, { ref: name }))
    else if ('id' in declaration && declaration.id?.type === 'Identifier')
      notes.export(declaration.id.name, { ref: declaration.id.name })
    this.walk(declaration, place)
  }

  #exportDefault({ declaration }: Extract<Node, { type: 'ExportDefaultDeclaration' }>, place: Place): void {
    const name = ('id' in declaration ? declaration.id?.name : undefined) ?? 'default'
    if (isFunction(declaration)) {
      this.notes.export('default', { call: name })
      this.#walkFunction(declaration, place, name)
    } else {
      this.notes.export('default', this.#expression(declaration, place))
      this.walk(declaration, place)
    }
  }

  #expression(node: Node | null | undefined, { parameters }: Place): Expression {
    return expressionOf(node, (name) => parameters.find((of) => of.has(name))?.get(name))
  }
}

/** Which loader of models is called, else which function. */
function calledBy(name: string, read: (node: Node) => Expression, callee: Node): Pick<Call, 'loader' | 'callee'> {
  const [last = '', of] = name.split('.').reverse()
  if (last === 'from_pretrained') return { loader: `${of}.${last}` }
  if (of === 'models' && /^(pipeline|transcriber|session|path|file)$/.test(last) && 'object' in callee)
    return { loader: `models.${last}`, callee: read(callee.object) }
  if (last === 'pipeline') return { loader: last }
  if (/^((globalThis|window)\.)?fetch$|^(axios|got|ky)(\.|$)/.test(name)) return { loader: 'fetch' }
  if (last === 'downloadFile' || last === 'snapshotDownload') return { loader: last, callee: read(callee) }
  return { callee: read(callee) }
}

/** The place inside a test or a suite of tests. */
function titled(name: string, { arguments: given }: CallNode, { titles }: Place): Pick<Place, 'titles' | 'isInTest'> {
  if (!TESTS.test(name)) return {}
  const title = literal(given[0])
  // The names of `test.each` are made from its values.
  const isKnown = title !== undefined && titles !== undefined && !/\.(each|for)$/.test(name)
  return { titles: isKnown ? [...titles, title] : undefined, ...(!SUITES.test(name) && { isInTest: true }) }
}

function testOf({ isInTest, titles }: Place): string | undefined {
  return isInTest ? titles?.join(' ') : undefined
}

function calleeOfCall(callee: Node): string | undefined {
  return callee.type === 'CallExpression' ? calleeName(callee.callee) : undefined
}

function isNode(value: unknown): value is Node {
  return isObject(value) && isText(value.type)
}

function isFunction(node: Node | null | undefined): node is FunctionNode {
  return FUNCTIONS.test(node?.type ?? '')
}
