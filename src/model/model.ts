import { ModelCacheError, showValue } from './errors.ts'
import { nearest } from './nearest.ts'
import { parseRepoId, type RepoId } from './repo-id.ts'
import { parseRevision } from './revision.ts'
import {
  DTYPES,
  type DtypeChoice,
  describeSelection,
  isDtype,
  parseSelection,
  type Selection,
  selectionKey,
} from './selection.ts'
import { canonicalTask, describeTasks, isTask } from './task.ts'

/** A model as users write it: `[org/]name[@revision]`, or an object with more detail. */
export type ModelSpec =
  | string
  | {
      /** `name` or `org/name`; a revision may follow after `@`. */
      repo: string
      /** Branch, tag, `refs/pr/1` or commit sha. Default `main`. */
      revision?: string
      /** Globs over the repo's paths, such as `['*.json', 'onnx/model_quantized.onnx']`. */
      files?: string | string[]
      /** A transformers.js task. Selects exactly the files that its `pipeline()` loads. */
      task?: string
      /** The format of the weights. Default: the dtype in the repo's config, else `fp32`, as transformers.js in Node.js. */
      dtype?: DtypeChoice
      /** The folder of the ONNX files. Default `onnx`. */
      subfolder?: string
      /** The base name of the ONNX file. The default depends on the model type. */
      modelFileName?: string
      /** Never evict or expire it. */
      pin?: boolean
    }

/** A checked model: repo, revision and selection of files. */
export interface Model {
  repo: RepoId
  revision: string
  selection: Selection
  pin: boolean
}

const KEYS = ['repo', 'revision', 'files', 'task', 'dtype', 'subfolder', 'modelFileName', 'pin']
const EXAMPLE = 'as in "Xenova/all-MiniLM-L6-v2", "org/name@v1.0" or { repo: "org/name", task: "feature-extraction" }'

/** Checks a model that a user wrote. Throws `INVALID_MODEL`; the error says what was given and what is accepted. */
export function parseModel(spec: unknown): Model {
  if (typeof spec === 'string') return { ...parseReference(spec), selection: {}, pin: false }
  if (typeof spec !== 'object' || spec === null || Array.isArray(spec))
    throw invalid(spec, 'A model is a string or an object.')
  const fields = new Map<string, unknown>(Object.entries(spec).filter(([, value]) => value !== undefined))
  const unknown = [...fields.keys()].filter((key) => !KEYS.includes(key))
  if (unknown.length > 0)
    throw invalid(
      spec,
      `A model has no field ${unknown.map(withNearest).join(', ')}. Its fields are ${KEYS.join(', ')}.`,
    )

  const repo = fields.get('repo')
  if (typeof repo !== 'string') throw invalid(spec, '`repo` is missing.')
  const reference = parseReference(repo)
  const revision = textField(fields, 'revision', spec)
  const pin = fields.get('pin') ?? false
  if (typeof pin !== 'boolean') throw invalid(spec, '`pin` must be true or false.')
  if (revision !== undefined && repo.includes('@'))
    throw invalid(spec, 'The revision is given twice, in `repo` after "@" and in `revision`: keep one.')
  return {
    repo: reference.repo,
    revision: revision === undefined ? reference.revision : parseRevision(revision, asked(spec)),
    selection: selectionOf(fields, spec),
    pin,
  }
}

function withNearest(key: string): string {
  const meant = nearest(key, KEYS)
  return meant === undefined ? `\`${key}\`` : `\`${key}\` (did you mean \`${meant}\`?)`
}

/** Checks a model as users write it, or a `Model` object from untyped code. Throws `INVALID_MODEL`. */
export function toModel(model: ModelSpec | Model): Model {
  if (typeof model !== 'object' || model === null || !('selection' in model)) return parseModel(model)
  const selection = parseSelection(model.selection)
  if (!selection) throw invalid(model, '`selection` was not made by this package.')
  parseRevision(String(model.revision), asked(model))
  parseRepoId(String(model.repo))
  // Callers find their model in the results by object identity, so the object itself is returned.
  return model
}

/** The model as text, for messages and the command line: `org/name`, or `org/name@revision` unless that is `main`. */
export function modelLabel({ repo, revision }: Pick<Model, 'repo' | 'revision'>): string {
  return revision === 'main' ? repo : `${repo}@${revision}`
}

/** As `modelLabel`, followed by the selection in parentheses if there is one. */
export function describeModel(model: Model): string {
  const selection = describeSelection(model.selection)
  return selection ? `${modelLabel(model)} (${selection})` : modelLabel(model)
}

/** The key of repo and revision. Models that differ only in their selection have the same key. */
export function modelKey({ repo, revision }: Pick<Model, 'repo' | 'revision'>): string {
  return `${repo}@${revision}`
}

/** The key of repo, revision and selection. */
export function selectedKey(model: Pick<Model, 'repo' | 'revision' | 'selection'>): string {
  return `${modelKey(model)} ${selectionKey(model.selection)}`
}

function parseReference(text: string): Pick<Model, 'repo' | 'revision'> {
  const at = text.indexOf('@')
  if (at === -1) return { repo: parseRepoId(text), revision: 'main' }
  return { repo: parseRepoId(text.slice(0, at)), revision: parseRevision(text.slice(at + 1), asked(text)) }
}

function selectionOf(fields: Map<string, unknown>, spec: unknown): Selection {
  const files = fields.get('files')
  const patterns = typeof files === 'string' ? [files] : files
  if (patterns !== undefined && !isTexts(patterns)) throw invalid(spec, '`files` must be a glob or a list of globs.')
  const dtype = fields.get('dtype')
  if (dtype !== undefined && !isDtypeChoice(dtype))
    throw invalid(spec, `\`dtype\` must be one of ${DTYPES.join(', ')}, or an object with one of them for each file.`)
  const task = textField(fields, 'task', spec)
  if (task !== undefined && !isTask(task))
    throw invalid(spec, `\`task\` must be a task of transformers.js.`, `The tasks are ${describeTasks(task)}.`)
  const subfolder = textField(fields, 'subfolder', spec)
  return {
    // Equal selections must have equal keys: an alias becomes its task, and the default subfolder is left out.
    task: task === undefined ? undefined : canonicalTask(task),
    dtype,
    files: patterns,
    subfolder: subfolder === 'onnx' ? undefined : subfolder,
    modelFileName: textField(fields, 'modelFileName', spec),
  }
}

function textField(fields: Map<string, unknown>, key: string, spec: unknown): string | undefined {
  const value = fields.get(key)
  if (value === undefined || (typeof value === 'string' && (value !== '' || key === 'subfolder'))) return value
  throw invalid(spec, `\`${key}\` must be a string that is not empty.`)
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'string' && item !== '')
}

function isDtypeChoice(value: unknown): value is DtypeChoice {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return Object.keys(value).length > 0 && Object.values(value).every(isDtype)
  return isDtype(value)
}

function asked(spec: unknown): string {
  return `Model ${showValue(spec)}`
}

function invalid(
  spec: unknown,
  reason: string,
  nextStep = `Write \`[org/]name[@revision]\` or an object with \`repo\`, ${EXAMPLE}.`,
): ModelCacheError {
  return new ModelCacheError({ code: 'INVALID_MODEL', asked: asked(spec), reason, nextStep })
}
