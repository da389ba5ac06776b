import { parseArgs } from 'node:util'
import { ENCODER_SIZES, type EncoderSize, isEncoderSize } from '../test/support/model-maker/index.ts'

const MODEL = 'Xenova/all-MiniLM-L6-v2'
const SIZE = 'small'
const ROUNDS = 3
export const USAGE = `Usage: npm run demo [-- options]

  --model <repo>   the model that the tests ask for (default ${MODEL})
  --size <size>    the encoder to make: ${ENCODER_SIZES.join(', ')} (default ${SIZE}: 90 MB); a stand-in for the Hub
                   on this machine serves it
  --hub <url>      download from this Hub instead, such as https://huggingface.co
  --rounds <n>     how often mapped and plain loading are compared (default ${ROUNDS})
  --help           show this`

export interface Settings {
  model: string
  size: EncoderSize
  /** Undefined for the stand-in. */
  hub: string | undefined
  rounds: number
}

/** A failure that needs no stack: the message says it all. */
export class Failure extends Error {
  constructor(
    message: string,
    readonly exitCode: number,
  ) {
    super(message)
  }
}

/** What the arguments of the command say, or undefined if they ask for help. */
export function settingsOf(args: string[]): Settings | undefined {
  const options = parseOptions(args)
  return options.help ? undefined : checkOptions(options)
}

function parseOptions(args: string[]) {
  const text = { type: 'string' } as const
  try {
    const options = { model: text, size: text, hub: text, rounds: text, help: { type: 'boolean' } } as const
    return parseArgs({ args, options }).values
  } catch (error) {
    throw wrongUsage(error instanceof Error ? error.message : String(error))
  }
}

function checkOptions({ model = MODEL, size, hub, rounds }: ReturnType<typeof parseOptions>): Settings {
  const made = size ?? SIZE
  if (!isEncoderSize(made)) throw wrongUsage(`--size ${size}: one of ${ENCODER_SIZES.join(', ')} is wanted.`)
  if (rounds !== undefined && !/^\d+$/.test(rounds)) throw wrongUsage(`--rounds ${rounds}: a number is wanted.`)
  if (hub !== undefined && size !== undefined) throw wrongUsage('--size is for the made model, and --hub has its own.')
  if (hub !== undefined && !(URL.canParse(hub) && /^https?:/.test(hub)))
    throw wrongUsage(`--hub ${hub}: a URL such as https://huggingface.co is wanted.`)
  return { model, size: made, hub: hub?.replace(/\/+$/, ''), rounds: rounds === undefined ? ROUNDS : Number(rounds) }
}

function wrongUsage(message: string): Failure {
  return new Failure(`${message}\n\n${USAGE}`, 2)
}
