import { InferenceSession } from 'onnxruntime-node'

/** An input of one run. `run-model.mjs` makes its numbers. */
export interface FeedInput {
  name: string
  type: string
  dims: number[]
  /** The number that it has everywhere. Without it, numbers depend on their place. */
  fill?: number
}

// Numbers that a model demands: a sampling rate, a mask that leaves something, one kind of text.
const FILLS: [RegExp, number][] = [
  [/^sr$/, 16_000],
  [/mask/, 1],
  [/^token_type_ids$/, 0],
]

/** The runs of a model. A decoder has two: one without past keys and values, and one with some. */
export async function feedsOf(path: string, shapes: Readonly<Record<string, number[]>>): Promise<FeedInput[][]> {
  const session = await InferenceSession.create(path, { logSeverityLevel: 3 })
  const pasts = session.inputNames.includes('use_cache_branch') ? [0, 4] : [0]
  const feeds = pasts.map((past) => session.inputMetadata.map((input) => feedOf(input, past, shapes)))
  await session.release()
  return feeds
}

function feedOf(
  input: InferenceSession.ValueMetadata,
  past: number,
  shapes: Readonly<Record<string, number[]>>,
): FeedInput {
  const { name } = input
  if (!input.isTensor) throw new Error(`The input ${name} is no tensor`)
  const dims = shapes[name] ?? input.shape.map((dim) => (typeof dim === 'number' ? dim : lengthOf(dim, past)))
  const fill = name === 'use_cache_branch' ? Math.sign(past) : FILLS.find(([pattern]) => pattern.test(name))?.[1]
  return { name, type: input.type, dims, fill }
}

function lengthOf(dimension: string, past: number): number {
  if (/batch/.test(dimension)) return 1
  return /^past/.test(dimension) ? past : 8
}
