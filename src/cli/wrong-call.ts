import type { Command, CommanderError, Option } from 'commander'
import { messageOf } from '../model/errors.ts'
import { nearest } from '../model/nearest.ts'
import { printNotes } from './show/print.ts'

/** Prints everything that is wrong with a call which commander refused: commander itself stops at the first. */
export function explainWrongCall(program: Command, args: string[], refusal: CommanderError): void {
  const { command, problems } = readCall(program, args)
  const lines = problems.length > 0 ? problems : [refusal.message.replace(/^error: /, '')]
  for (const line of lines) printNotes(`error: ${line}`)
  printNotes(`See \`npx ${fullName(command)} --help\`.`)
}

interface Call {
  command: Command
  problems: string[]
}

/** `vitest-model-cache remote prune` */
function fullName(command: Command): string {
  return command.parent ? `${fullName(command.parent)} ${command.name()}` : command.name()
}

/** Reads the arguments by the declared options, as commander does, and goes on after a problem. */
function readCall(program: Command, args: string[]): Call {
  const problems: string[] = []
  const operands: string[] = []
  const unknown: string[] = []
  let command = program
  const todo = [...args]
  for (let token = todo.shift(); token !== undefined; token = todo.shift()) {
    if (token === '--') operands.push(...todo.splice(0))
    else if (/^-./.test(token)) problems.push(...readOption(token, todo, optionsOf(program, command), unknown))
    else if (command.commands.length === 0) operands.push(token)
    else {
      const named = commandNamed(command, token)
      if (!named) return { command, problems: [...problems, unknownCommand(command, token)] }
      command = named
    }
  }
  if (command.name() === 'run' && unknown.length > 0) problems.push(hintAtSeparator(args, unknown))
  // What follows an unknown option may be its value: it can't be counted.
  return { command, problems: unknown.length > 0 ? problems : [...problems, ...countProblems(command, operands)] }
}

function optionsOf(program: Command, command: Command): Option[] {
  return command === program ? [...program.options] : [...command.options, ...program.options]
}

/** Takes the value of an option from `rest`. Adds an option that is not declared to `unknown`. */
function readOption(token: string, rest: string[], options: Option[], unknown: string[]): string[] {
  const isLong = token.startsWith('--')
  const [flag = '', inline] = isLong ? splitAtEquals(token) : [token.slice(0, 2), token.slice(2) || undefined]
  if (['--help', '-h'].includes(flag)) return []
  const option = options.find(({ long, short }) => flag === long || flag === short)
  if (!option) {
    unknown.push(token)
    return [unknownOption(isLong ? flag : token, options)]
  }
  if (!option.required && !option.optional) {
    // `-qv` is `-q -v`.
    if (inline !== undefined && !isLong) rest.unshift(`-${inline}`)
    return []
  }
  const isValueNext = rest[0] !== undefined && (option.required || !rest[0].startsWith('-'))
  const value = inline ?? (isValueNext ? rest.shift() : undefined)
  if (value !== undefined) return invalidValue(option, value)
  return option.required ? [`option '${option.flags}' argument missing`] : []
}

function splitAtEquals(token: string): [string, string | undefined] {
  const at = token.indexOf('=')
  return at === -1 ? [token, undefined] : [token.slice(0, at), token.slice(at + 1)]
}

function invalidValue({ flags, parseArg }: Option, value: string): string[] {
  try {
    parseArg?.(value, undefined)
    return []
  } catch (error) {
    return [`option '${flags}' argument '${value}' is invalid. ${messageOf(error)}`]
  }
}

function unknownOption(flag: string, options: Option[]): string {
  const names = options.flatMap(({ long }) => long ?? [])
  return `unknown option '${flag}'${suggestion(flag.startsWith('--') ? nearest(flag, names) : undefined)}`
}

function unknownCommand(parent: Command, name: string): string {
  const names = parent.commands.flatMap((command) => [command.name(), ...command.aliases()])
  return `unknown command '${name}'${suggestion(nearest(name, names))}`
}

function suggestion(name: string | undefined): string {
  return name === undefined ? '' : `. Did you mean ${name}?`
}

function commandNamed(parent: Command, name: string): Command | undefined {
  return parent.commands.find((command) => [command.name(), ...command.aliases()].includes(name))
}

/** The unknown options may be options of Vitest or Jest. Those are written after `--`. */
function hintAtSeparator(args: string[], unknown: string[]): string {
  const first = args.findIndex((arg) => unknown.includes(arg))
  const call = [...args.slice(0, first), '--', ...args.slice(first)].join(' ')
  return `write options of the test runner after \`--\`: npx vitest-model-cache ${call}`
}

function countProblems(command: Command, operands: string[]): string[] {
  const { registeredArguments: declared } = command
  const missing = declared.filter(({ required }, index) => required && operands[index] === undefined)
  if (missing.length > 0) return missing.map((argument) => `missing required argument '${argument.name()}'`)
  const isOpen = declared.some(({ variadic }) => variadic)
  if (isOpen || operands.length <= declared.length) return []
  return [`too many arguments: ${operands.slice(declared.length).join(' ')}`]
}
