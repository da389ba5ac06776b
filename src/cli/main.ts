#!/usr/bin/env node
import process from 'node:process'
import { CommanderError } from 'commander'
import { listenForInterrupts } from './interruption.ts'
import { WRONG_CALL } from './perform.ts'
import { makeProgram } from './program.ts'
import { surviveClosedOutput } from './show/closed-output.ts'

surviveClosedOutput()
listenForInterrupts()
const program = makeProgram()
try {
  await program.parseAsync()
} catch (error) {
  if (!(error instanceof CommanderError)) throw error
  process.exitCode = error.exitCode === 0 ? 0 : WRONG_CALL
  const isHelp = error.code.startsWith('commander.help') || error.code === 'commander.version'
  if (!isHelp) (await import('./wrong-call.ts')).explainWrongCall(program, process.argv.slice(2), error)
}
