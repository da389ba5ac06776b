/** The weight formats of transformers.js (its `DATA_TYPES`). */
export const DTYPES = [
  'auto',
  'fp32',
  'fp16',
  'q8',
  'int8',
  'uint8',
  'q4',
  'q2',
  'q1',
  'q4f16',
  'q2f16',
  'q1f16',
  'bnb4',
] as const
export type Dtype = (typeof DTYPES)[number]

/** One dtype for all ONNX files, or one for each file by its base name (`encoder_model`, `decoder_model_merged`). */
export type DtypeChoice = Dtype | Record<string, Dtype>

/**
 * The files of a repo that are selected: those of a transformers.js task, those that match the globs, or both. An empty
 * selection means the first of these that is known: 1. the files that earlier runs used at this commit, 2. the files that
 * `pipeline()` loads for the repo's own task, 3. all files.
 */
export interface Selection {
  /** A transformers.js task, such as `feature-extraction`. */
  task?: string
  /** The dtype of the weights. Without `task`, it applies to the repo's own task. */
  dtype?: DtypeChoice
  /** Globs over the repo's paths, such as `onnx/*.onnx`; `!` excludes. */
  files?: string[]
  /** Exact paths, recorded from code that does not use this package's API. */
  paths?: string[]
  /** Globs that may match nothing, such as the external data of an ONNX file. */
  optional?: string[]
  /** The folder of the ONNX files; transformers.js's default is `onnx`. */
  subfolder?: string
  /** `use_external_data_format` of transformers.js, where it differs from the repo's config. */
  externalData?: boolean | number | Record<string, boolean | number>
  /** The base name of the ONNX file, for repos whose file is not `model`. */
  modelFileName?: string
}

/** True for the empty selection: the default rules choose its files. */
export function isDefaultSelection(selection: Selection): boolean {
  return selectionKey(selection) === '{}'
}

/** The selection as a key. Selections that differ only in the order of fields and globs have the same key. */
export function selectionKey(selection: Selection): string {
  const { task, dtype, files, paths, optional, subfolder, externalData, modelFileName } = selection
  return JSON.stringify({
    task,
    dtype: sortedFields(dtype),
    files: files && [...new Set(files)].sort(),
    paths: paths && [...new Set(paths)].sort(),
    optional: optional && [...new Set(optional)].sort(),
    subfolder,
    externalData: sortedFields(externalData),
    modelFileName,
  })
}

/** Checks a parsed `selectionKey`, or a value from untyped code; undefined when it is not a selection. */
export function parseSelection(value: unknown): Selection | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const fields = new Map<string, unknown>(Object.entries(value).filter(([, field]) => field !== undefined))
  const isRight = [...fields].every(([name, field]) => FIELDS.get(name)?.(field) ?? false)
  return isRight ? (value as Selection) : undefined
}

const FIELDS = new Map<string, (value: unknown) => boolean>([
  ...['task', 'subfolder', 'modelFileName'].map((name): [string, typeof isText] => [name, isText]),
  ...['files', 'paths', 'optional'].map((name): [string, typeof isTexts] => [name, isTexts]),
  ['dtype', (value) => isDtype(value) || isRecordOf(isDtype, value)],
  ['externalData', (value) => isCount(value) || isRecordOf(isCount, value)],
])

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every(isText)
}

export function isDtype(value: unknown): value is Dtype {
  return DTYPES.some((dtype) => dtype === value)
}

function isCount(value: unknown): boolean {
  return typeof value === 'boolean' || typeof value === 'number'
}

function isRecordOf(isRight: (value: unknown) => boolean, value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every(isRight)
}

function sortedFields<T>(value: T): T | object {
  return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value).sort()) : value
}

/** The selection as text for messages: `feature-extraction, q8`, `onnx/*.json`, or an empty string for the default. */
export function describeSelection({ task, dtype, files, paths }: Selection): string {
  const dtypeText = dtype && JSON.stringify(dtype).replaceAll('"', '')
  return [task, dtypeText, ...(files ?? []), ...(paths ?? [])].filter(Boolean).join(', ')
}
