import { seedOf } from '../seed.ts'
import type { MakeTensor } from '../tensor.ts'
import { type Inputs, rowsIn, rowsOf } from './inputs.ts'
import { isTensor } from './library.ts'
import { END_TOKEN, PAD_TOKEN, tokensOf } from './tokenizer.ts'

/** Models that return the prompt followed by the new tokens. */
const CONTINUES = /CausalLM$|LMHeadModel$/
const WORDS: [name: RegExp, word: string][] = [
  [/Speech|Whisper|CTC/, 'mock transcript'],
  [/Vision/, 'mock caption'],
]

/** The `generate` of a mock model. It returns the tokens of the mock pipeline's text. */
export function generate(model: string, name: string, tensor: MakeTensor) {
  const isContinuing = CONTINUES.test(name)
  const answer = (text: string | undefined, seed: number) => {
    if (text !== undefined && isContinuing) return ` mock ${seedOf(model, 'text-generation', text).toString(16)}`
    if (text !== undefined) return `mock text ${seedOf(model, 'text2text-generation', text).toString(16)}`
    return `${WORDS.find(([pattern]) => pattern.test(name))?.[1] ?? 'mock text'} ${seed.toString(16)}`
  }
  return async (given: Inputs): Promise<unknown> => {
    const { max_new_tokens: limit, return_dict_in_generate: isDict, streamer, inputs } = given
    const asked: Inputs = isTensor(inputs) ? { ...given, input_ids: inputs } : given
    const { texts, seeds } = rowsOf(model, asked)
    const prompts =
      isContinuing && isTensor(asked.input_ids) ? rowsIn(asked.input_ids).map((row) => row.map(Number)) : []
    const added = seeds.map((seed, row) =>
      [...tokensOf(answer(texts?.[row], seed)), END_TOKEN].slice(0, typeof limit === 'number' ? limit : undefined),
    )
    stream(streamer, prompts[0] ?? [], added[0] ?? [])
    const rows = added.map((tokens, row) => [...(prompts[row] ?? []), ...tokens])
    const length = Math.max(...rows.map((row) => row.length))
    const padded = rows.flatMap((row) => [...row, ...Array<number>(length - row.length).fill(PAD_TOKEN)])
    const sequences = tensor({ type: 'int64', data: BigInt64Array.from(padded, BigInt), dims: [rows.length, length] })
    return isDict === true ? { sequences } : sequences
  }
}

/** Calls a streamer as the real `generate` does: first with the prompt, then with each token. */
export function stream(streamer: unknown, prompt: number[], added: number[]): void {
  if (typeof streamer !== 'object' || streamer === null) return
  const call = (name: string, ...args: unknown[]) => Reflect.apply(Reflect.get(streamer, name), streamer, args)
  call('put', [prompt.map(BigInt)])
  for (const token of added) call('put', [[BigInt(token)]])
  call('end')
}
