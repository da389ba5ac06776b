import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import process from 'node:process'
import { ModelCacheError, messageOf } from '../../model/errors.ts'
import { count } from '../../report/words.ts'
import type { VitestConfig } from '../config/read-vitest.ts'
import { type Check, fail, ok, warn } from './check.ts'

export interface Installed {
  folder: string
  version: string
}

/** The package that code in a folder would import. Undefined if it is not installed. */
export function findInstalled(name: string, from: string): Installed | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    const found = join(folder, 'node_modules', name)
    try {
      return { folder: found, version: String(JSON.parse(readFileSync(join(found, 'package.json'), 'utf8')).version) }
    } catch {
      if (folder === dirname(folder)) return undefined
    }
  }
}

/** `^20.19 || ^22.12 || >=24` */
export function checkNode(version = process.versions.node): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const isRight = (major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major >= 24
  if (isRight) return ok('Node.js', version)
  return fail('Node.js', `${version} is not supported`, 'Use Node.js 20.19, 22.12, 24 or newer.')
}

export function checkVitest({ version }: Pick<Installed, 'version'>): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if ((major === 4 && minor >= 1) || major === 5) return ok('Vitest', version)
  return fail('Vitest', `${version} is not supported`, 'Install Vitest 4.1 or 5.')
}

/** Checks the config, or shows why it could not be read. */
export function checkConfig(config: VitestConfig | { error: unknown }, from: string): Check {
  if ('error' in config)
    return problemCheck('config', config.error, 'Correct the Vitest config. `npx vitest list` shows the same error.')
  const { file, options, hasProjects } = config
  if (file === undefined)
    return warn('config', 'there is no Vitest config here', 'Add `plugins: [modelCache()]` to a vitest.config.ts.')
  const name = relative(from, file)
  if (!options && hasProjects) return ok('config', `${name} leaves modelCache() to its projects`)
  if (!options)
    return warn(
      'config',
      `${name} has no modelCache() in its \`plugins\``,
      'Add modelCache(), unless the config wires the hooks by hand.',
    )
  return ok(
    'config',
    `${name} has modelCache(), ${count(options.models.length, 'model')} declared, mode ${options.mode}`,
  )
}

export function problemCheck(name: string, error: unknown, next: string): Check {
  if (error instanceof ModelCacheError) return fail(name, `${error.asked}: ${error.reason}`, error.nextStep)
  return fail(name, messageOf(error), next)
}

// The names that `attach-transformers.cts` needs in the source.
const INTERNALS = ['loadResourceFile', '_get_file_metadata', 'buildResourcePaths', 'handleError', 'FileResponse']

/** How untouched `pipeline()` calls are served, for each version of transformers.js that the folders have. */
export function checkTransformers(folders: string[]): Check[] {
  const found = foundFrom(
    folders,
    (from) => findInstalled(TRANSFORMERS, from) ?? findInstalled('@xenova/transformers', from),
  )
  if (found.length > 0) return found.map(checkTransformersIn)
  return [ok('transformers', 'not installed; models.path() and models.file() work with every other runtime')]
}

const TRANSFORMERS = '@huggingface/transformers'

/** The packages that the folders have, each once. */
function foundFrom(folders: string[], find: (from: string) => Installed | undefined): Installed[] {
  const found = folders.flatMap((from) => find(from) ?? [])
  return [...new Map(found.map((each) => [each.folder, each])).values()]
}

function checkTransformersIn(found: Installed): Check {
  const name = 'transformers'
  const source = ['mjs', 'cjs'].map((end) => join(found.folder, 'dist', `transformers.node.${end}`)).find(existsSync)
  const text = source === undefined ? '' : readFileSync(source, 'utf8')
  const has = (word: string) => new RegExp(`\\b(function|class|var|let|const)\\s+${word}\\b`).test(text)
  if (INTERNALS.every(has)) return ok(name, `${found.version}: opens the files in the cache, without a copy`)
  return warn(
    name,
    `${found.version}: gets the files through fetch and stores a second copy in its own cache`,
    'Use @huggingface/transformers 4.3, which stores no second copy.',
  )
}

export function checkOnnxRuntime(folders: string[]): Check[] {
  const checks = new Map(
    folders.flatMap((from) => checkOnnxRuntimeFrom(from) ?? []).map((check) => [check.text, check]),
  )
  return checks.size > 0 ? [...checks.values()] : [ok('onnxruntime', 'onnxruntime-node is not installed')]
}

function checkOnnxRuntimeFrom(from: string): Check | undefined {
  const name = 'onnxruntime'
  const transformers = findInstalled(TRANSFORMERS, from)
  const ofTransformers = transformers && findInstalled('onnxruntime-node', transformers.folder)
  const own = findInstalled('onnxruntime-node', from)
  const found = own ?? ofTransformers
  if (!found) return undefined
  if (own && ofTransformers && own.version !== ofTransformers.version)
    return warn(
      name,
      `onnxruntime-node ${own.version} here and ${ofTransformers.version} in transformers.js: one process can't load both`,
      'Add `overrides` to package.json, so that only one version is installed.',
    )
  if (hasBinary(found.folder)) return ok(name, `onnxruntime-node ${found.version}, with its binary`)
  return fail(
    name,
    `onnxruntime-node ${found.version} has no binary for ${process.platform} ${process.arch}`,
    'Install it again with ONNXRUNTIME_NODE_INSTALL=skip: its install script can then not fail.',
  )
}

function hasBinary(folder: string): boolean {
  try {
    const binaries = join(folder, 'bin')
    return readdirSync(binaries).some((napi) =>
      existsSync(join(binaries, napi, process.platform, process.arch, 'onnxruntime_binding.node')),
    )
  } catch {
    return false
  }
}
