import { canonicalTask } from '../../model/task.ts'
import { type Call, MOCKED_TASKS, mockCall } from '../tasks.ts'
import { noMockOfClass, noMockOfTask } from '../unit-mode-error.ts'
import { mockConfig } from './config.ts'
import { stream } from './generate.ts'
import { callable, exportedName, type Library, prototypeOf, tensorMaker } from './library.ts'
import { MOCKED_MODELS, mockModel } from './model.ts'
import { mockProcessor } from './processor.ts'
import { mockTokenizer, tokensOf } from './tokenizer.ts'

/** Replaces `from_pretrained` of a class. Throws `UNIT_MODE`. */
export function mockPretrained(library: Library, asked: object, [id, options]: unknown[]): object {
  const name = exportedName(library, asked)
  const model = String(id)
  if (/Tokenizer$/.test(name)) return mockTokenizer(library, name)
  if (/(Processor|FeatureExtractor)$/.test(name)) return mockProcessor(library, name)
  if (/Config$/.test(name)) return mockConfig(library, model, Object(options))
  const made = mockModel(library, name, model, Object(options))
  if (made) return made
  throw noMockOfClass(name, model, MOCKED_MODELS)
}

/** Replaces `pipeline`. The mock is an instance of the class of its task. Throws `UNIT_MODE`. */
export function mockLibraryPipeline(library: Library, [asked, id, given]: unknown[]): object {
  const task = canonicalTask(String(asked))
  const model = typeof id === 'string' ? id : 'default'
  const options = Object(given)
  const answer = mockCall(task, model, tensorMaker(library))
  if (!answer) throw noMockOfTask(String(asked), MOCKED_TASKS)
  const parts = lazily({
    model: () => mockModel(library, 'AutoModel', model, options),
    tokenizer: () => mockTokenizer(library, 'AutoTokenizer'),
    processor: () => mockProcessor(library, 'AutoProcessor'),
  })
  const pipeline = callable(prototypeOf(library, className(task)), streamed(answer), parts)
  Reflect.set(pipeline, 'task', task)
  const { progress_callback: onProgress } = options
  if (typeof onProgress === 'function') onProgress({ status: 'ready', task, model })
  return pipeline
}

/** `text-classification` is the task of TextClassificationPipeline. */
function className(task: string): string {
  const words = task.split('-').map((word) => word.charAt(0).toUpperCase() + word.slice(1))
  return `${words.join('')}Pipeline`
}

/** Fields that are made when they are first read. */
function lazily(makers: Record<string, () => object | undefined>): object {
  const fields = {}
  for (const [name, make] of Object.entries(makers)) {
    let made: object | undefined
    const get = () => {
      made ??= make()
      return made
    }
    Object.defineProperty(fields, name, { get, enumerable: true })
  }
  return fields
}

/** Gives the prompt and the answer to a streamer among the options, as the real pipeline does. */
function streamed(answer: Call): Call {
  return async (input, ...rest) => {
    const result = await answer(input, ...rest)
    const { streamer } = Object(rest.at(-1))
    if (streamer) {
      const text = generatedText(result)
      const prompt = typeof input === 'string' && text.startsWith(input) ? input : ''
      stream(streamer, tokensOf(prompt), tokensOf(text.slice(prompt.length)))
    }
    return result
  }
}

function generatedText(result: unknown): string {
  const {
    text,
    generated_text: generated = text,
    summary_text: summary,
    translation_text: translation,
  } = Object(Array.isArray(result) ? result[0] : result)
  if (Array.isArray(generated)) return String(Object(generated.at(-1)).content)
  return String(generated ?? summary ?? translation ?? '')
}
