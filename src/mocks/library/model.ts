import { numbers } from '../seed.ts'
import { DIMENSION, type TensorData, vectors } from '../tensor.ts'
import { mockConfig } from './config.ts'
import { generate } from './generate.ts'
import { type Inputs, type Rows, rowsOf } from './inputs.ts'
import { callable, type Library, prototypeOf, tensorMaker } from './library.ts'
import { VOCABULARY } from './tokenizer.ts'

type Outputs = Record<string, TensorData>

/** The outputs of each kind of model, by the name of its class. */
const HEADS: [name: RegExp, outputs: (rows: Rows, labels: number) => Outputs][] = [
  [/For(Sequence|Image|Audio)Classification$/, (rows, labels) => ({ logits: scores(rows.seeds, [labels]) })],
  [/For(Token|AudioFrame)Classification$/, (rows, labels) => ({ logits: scores(rows.seeds, [rows.length, labels]) })],
  [
    /ForQuestionAnswering$/,
    ({ seeds, length }) => ({ start_logits: scores(seeds, [length]), end_logits: scores(seeds, [length]) }),
  ],
  [
    /For(MaskedLM|CausalLM|CTC|Seq2SeqLM|ConditionalGeneration|SpeechSeq2Seq|Vision2Seq)$|LMHeadModel$/,
    ({ seeds, length }) => ({ logits: scores(seeds, [length, VOCABULARY]) }),
  ],
  [/TextModelWithProjection$/, (rows) => ({ text_embeds: embeddings(rows) })],
  [/VisionModelWithProjection$/, (rows) => ({ image_embeds: embeddings(rows) })],
  [/AudioModelWithProjection$/, (rows) => ({ audio_embeds: embeddings(rows) })],
  [/Model$|ForImageFeatureExtraction$/, hiddenStates],
]

/** The classes of models that have a mock. A class of one architecture, such as `BertForMaskedLM`, has the mock of its kind. */
export const MOCKED_MODELS = [
  ...['AutoModel', 'AutoModelForSequenceClassification', 'AutoModelForTokenClassification'],
  ...['AutoModelForQuestionAnswering', 'AutoModelForMaskedLM', 'AutoModelForCausalLM', 'AutoModelForSeq2SeqLM'],
  ...['AutoModelForSpeechSeq2Seq', 'AutoModelForVision2Seq', 'AutoModelForCTC', 'AutoModelForImageClassification'],
  ...['AutoModelForAudioClassification', 'AutoModelForAudioFrameClassification', 'AutoModelForImageFeatureExtraction'],
]

/** A model without weights: the same outputs for the same inputs. Undefined for a class without a mock. */
export function mockModel(library: Library, name: string, model: string, options: object): object | undefined {
  const outputs = HEADS.find(([pattern]) => pattern.test(name))?.[1]
  if (!outputs) return undefined
  const tensor = tensorMaker(library)
  const config = mockConfig(library, model, options)
  const labels = Object.keys(Object(Reflect.get(config, 'id2label'))).length
  const forward = async (inputs: unknown) => {
    const given: Inputs = Object(inputs)
    const made = Object.entries(outputs(rowsOf(model, given), labels))
    return Object.fromEntries(made.map(([name, data]) => [name, tensor(data)]))
  }
  const fields = { config, sessions: {}, configs: {}, forward, generate: generate(model, name, tensor) }
  return callable(prototypeOf(library, name.startsWith('Auto') ? 'PreTrainedModel' : name), forward, fields)
}

/**
 * Each token of a text has the vector of the text. So the mean over the tokens, and the vector of the first token, equal the vector
 * of the mock pipeline for feature-extraction.
 */
function hiddenStates(rows: Rows): Outputs {
  const { seeds, length } = rows
  const tokens = seeds.flatMap((seed) => Array<number>(length).fill(seed))
  return { last_hidden_state: vectors(tokens, [seeds.length, length, DIMENSION]), pooler_output: embeddings(rows) }
}

function embeddings({ seeds }: Rows): TensorData {
  return vectors(seeds, [seeds.length, DIMENSION])
}

/** Numbers from -1 to 1, in the given dimensions for each seed. */
function scores(seeds: number[], dims: number[]): TensorData {
  const size = dims.reduce((product, length) => product * length, 1)
  const data = Float32Array.from(seeds.flatMap((seed) => numbers(seed, size)))
  return { type: 'float32', data, dims: [seeds.length, ...dims] }
}
