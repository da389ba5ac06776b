import { nearest } from './nearest.ts'

/** The tasks of transformers.js 4.3.1, src/pipelines/index.js: SUPPORTED_TASKS. */
const TASKS = [
  'text-classification',
  'token-classification',
  'question-answering',
  'fill-mask',
  'summarization',
  'translation',
  'text2text-generation',
  'text-generation',
  'zero-shot-classification',
  'audio-classification',
  'zero-shot-audio-classification',
  'automatic-speech-recognition',
  'text-to-audio',
  'image-to-text',
  'image-classification',
  'image-segmentation',
  'background-removal',
  'zero-shot-image-classification',
  'object-detection',
  'zero-shot-object-detection',
  'document-question-answering',
  'image-to-image',
  'depth-estimation',
  'feature-extraction',
  'image-feature-extraction',
]

/** Tasks of the Hub for which transformers.js has no `pipeline()`. It may still have models for them. */
const HUB_TASKS = [
  'any-to-any',
  'audio-text-to-text',
  'audio-to-audio',
  'image-text-to-image',
  'image-text-to-text',
  'image-to-3d',
  'image-to-video',
  'keypoint-detection',
  'mask-generation',
  'multiple-choice',
  'sentence-similarity',
  'table-question-answering',
  'text-ranking',
  'text-retrieval',
  'text-to-image',
  'text-to-video',
  'time-series-forecasting',
  'video-classification',
  'video-text-to-text',
  'visual-document-retrieval',
  'visual-question-answering',
  'voice-activity-detection',
]

/** TASK_ALIASES in the same file of transformers.js. */
const ALIASES = new Map(
  Object.entries({
    'sentiment-analysis': 'text-classification',
    ner: 'token-classification',
    asr: 'automatic-speech-recognition',
    'text-to-speech': 'text-to-audio',
    embeddings: 'feature-extraction',
  }),
)

/** The transformers.js task for a name or alias: `sentiment-analysis` is an alias of `text-classification`. */
export function canonicalTask(task: string): string {
  // In a name such as `translation_en_to_fr`, the text before the first underscore is the task.
  return ALIASES.get(task) ?? task.split('_', 1)[0] ?? task
}

/** True for a task of transformers.js or of the Hub. */
export function isTask(task: string): boolean {
  return [...TASKS, ...HUB_TASKS].includes(canonicalTask(task))
}

/** The tasks of `pipeline()` with their aliases, as text for a message. The task that was probably meant comes first. */
export function describeTasks(given: string): string {
  const meant = nearest(given, [...TASKS, ...HUB_TASKS, ...ALIASES.keys()])
  const first = meant === undefined ? [] : [canonicalTask(meant)]
  return [...new Set([...first, ...TASKS])].map(withAliases).join(', ')
}

function withAliases(task: string): string {
  const aliases = [...ALIASES].filter(([, of]) => of === task).map(([alias]) => alias)
  return aliases.length === 0 ? task : `${task} (or ${aliases.join(', ')})`
}
