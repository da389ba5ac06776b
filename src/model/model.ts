import { ModelCacheError, showValue } from './errors.ts'
import { parseRepoId, type RepoId } from './repo-id.ts'
import { parseRevision } from './revision.ts'
import { DTYPES, type DtypeChoice, describeSelection, isDtype, parseSelection, type Selection } from './selection.ts'
import { canonicalTask } from './task.ts'

/** A model as users write it: `[org/]name[@revision]`, or an object that says more. */
export type ModelSpec =
  | string
  | {
      /** `name` or `org/name`; a revision may follow after `@`. */
      repo: string
      /** Branch, tag, `refs/pr/1` or commit sha. Default `main`. */
      revision?: string
      /** Globs over the repo's paths, such as `['*.json', 'onnx/model_quantized.onnx']`. */
      files?: string | string[]
      /** A transformers.js task: exactly the files that its `pipeline()` loads. */
      task?: string
      /** The weights that `task` loads. Default: the repo's, else `fp32` as transformers.js in Node.js. */
      dtype?: DtypeChoice
      /** The folder of the ONNX files. Default `onnx`. */
      subfolder?: string
      /** The base name of the ONNX file. Default: by the kind of model. */
      modelFileName?: string
      /** Never evict nor expire it. */
      pin?: boolean
    }

/** A model that was checked: repo, revision and selection of files. */
export interface Model {
  repo: RepoId
  revision: string
  selection: Selection
  pin: boolean
}

const KEYS = ['repo', 'revision', 'files', 'task', 'dtype', 'subfolder', 'modelFileName', 'pin']
const EXAMPLE = 'as in "Xenova/all-MiniLM-L6-v2", "org/name@v1.0" or { repo: "org/name", task: "feature-extraction" }'

/** Checks what a user named. Throws `INVALID_MODEL`, saying what was given and what is accepted. */
export function parseModel(spec: unknown): Model {
  if (typeof spec === 'string') return { ...parseReference(spec), selection: {}, pin: false }
  if (typeof spec !== 'object' || spec === null || Array.isArray(spec))
    throw invalid(spec, 'A model is a text or an object.')
  const fields = new Map<string, unknown>(Object.entries(spec).filter(([, value]) => value !== undefined))
  const stranger = [...fields.keys()].find((key) => !KEYS.includes(key))
  if (stranger !== undefined) throw invalid(spec, `\`${stranger}\` is none of its fields (${KEYS.join(', ')}).`)

  const repo = fields.get('repo')
  if (typeof repo !== 'string') throw invalid(spec, '`repo` is missing.')
  const reference = parseReference(repo)
  const revision = textField(fields, 'revision', spec)
  const pin = fields.get('pin') ?? false
  if (typeof pin !== 'boolean') throw invalid(spec, '`pin` is true or false.')
  if (revision !== undefined && repo.includes('@'))
    throw invalid(spec, 'The revision stands in `repo` after "@" and in `revision`: keep one.')
  return {
    repo: reference.repo,
    revision: revision === undefined ? reference.revision : parseRevision(revision, asked(spec)),
    selection: selectionOf(fields, spec),
    pin,
  }
}

/** A model as users write it, or one that was checked: both are checked. Throws `INVALID_MODEL`. */
export function toModel(model: ModelSpec | Model): Model {
  if (typeof model !== 'object' || model === null || !('selection' in model)) return parseModel(model)
  const selection = parseSelection(model.selection)
  if (!selection) throw invalid(model, '`selection` is none that this package made.')
  parseRevision(String(model.revision), asked(model))
  parseRepoId(String(model.repo))
  // The same object: who handed it over knows it again in what comes of it.
  return model
}

/** The model for people and for the command line: `org/name`, or `org/name@revision` when that is not `main`. */
export function modelLabel({ repo, revision }: Pick<Model, 'repo' | 'revision'>): string {
  return revision === 'main' ? repo : `${repo}@${revision}`
}

/** As `modelLabel`, and the selection in brackets when one was named. */
export function describeModel(model: Model): string {
  const selection = describeSelection(model.selection)
  return selection ? `${modelLabel(model)} (${selection})` : modelLabel(model)
}

/** Identifies repo and revision, whatever the selection. */
export function modelKey({ repo, revision }: Pick<Model, 'repo' | 'revision'>): string {
  return `${repo}@${revision}`
}

function parseReference(text: string): Pick<Model, 'repo' | 'revision'> {
  const at = text.indexOf('@')
  if (at === -1) return { repo: parseRepoId(text), revision: 'main' }
  return { repo: parseRepoId(text.slice(0, at)), revision: parseRevision(text.slice(at + 1), asked(text)) }
}

function selectionOf(fields: Map<string, unknown>, spec: unknown): Selection {
  const files = fields.get('files')
  const patterns = typeof files === 'string' ? [files] : files
  if (patterns !== undefined && !isTexts(patterns)) throw invalid(spec, '`files` is a glob or a list of globs.')
  const dtype = fields.get('dtype')
  if (dtype !== undefined && !isDtypeChoice(dtype))
    throw invalid(spec, `\`dtype\` is one of ${DTYPES.join(', ')}, or an object of them by file.`)
  const task = textField(fields, 'task', spec)
  const subfolder = textField(fields, 'subfolder', spec)
  return {
    // One meaning, one key: an alias is its task, and a default is no choice.
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
  throw invalid(spec, `\`${key}\` is a text.`)
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

function invalid(spec: unknown, reason: string): ModelCacheError {
  return new ModelCacheError({
    code: 'INVALID_MODEL',
    asked: asked(spec),
    reason,
    nextStep: `Write \`[org/]name[@revision]\` or an object with \`repo\`, ${EXAMPLE}.`,
  })
}
