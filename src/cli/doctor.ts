import process from 'node:process'
import { ModelCache } from '../cache/model-cache.ts'
import { readEnvironment } from '../config/environment-variables.ts'
import { type Options, resolveOptions } from '../config/options.ts'
import { ModelCacheError } from '../model/errors.ts'
import { type Check, fail } from './doctor/check.ts'
import { checkDisk, checkFolder, checkLinks, checkPermissions } from './doctor/folder.ts'
import { checkLoading } from './doctor/loading.ts'
import { checkLock } from './doctor/lock-file.ts'
import { checkHub, checkProxy } from './doctor/network.ts'
import { checkNode, checkOnnxRuntime, checkTransformers } from './doctor/project.ts'
import { checkRemote } from './doctor/remote.ts'
import { checkRunners } from './doctor/runners.ts'
import { checkToken } from './doctor/token.ts'
import { interrupted } from './interruption.ts'
import { type GlobalOptions, originOf } from './open-cache.ts'
import { printJson } from './show/json.ts'
import { printLines } from './show/print.ts'
import { paint } from './show/style.ts'

const MARKS = { ok: paint('green', '✓'), warn: paint('yellow', '!'), fail: paint('red', '✗') }

/** Checks what commonly goes wrong and prints one line for each check. The exit code is 1 when a check failed. */
export async function doctor(options: GlobalOptions): Promise<number> {
  if (options.cacheDir !== undefined) process.env.MODEL_CACHE_DIR = options.cacheDir
  const checks: Check[] = []
  const print = (...more: Check[]) => {
    checks.push(...more)
    if (!options.json) for (const check of more) printCheck(check)
  }
  const from = process.cwd()
  print(checkNode())
  const { checks: ofRunners, roots, options: stated, isOfVitest } = await checkRunners(from)
  print(...ofRunners)
  print(...checkTransformers([from, ...roots]), ...checkOnnxRuntime([from, ...roots]))
  const settings = stated[0] ?? settingsOfEnvironment()
  if ('level' in settings) print(settings)
  else {
    const declared = stated.flatMap(({ models }) => models)
    print(checkLock(settings, declared))
    const isPlaceKnown = readEnvironment(process.env).cacheDir !== undefined
    const origin = originOf(options.cacheDir, isPlaceKnown, settings, isOfVitest)
    await checkCache(settings, origin, print)
  }
  const failed = checks.filter(({ level }) => level === 'fail').length
  if (options.json)
    printJson({ ok: failed === 0, checks: checks.map((check) => ({ ...check, next: check.next ?? null })) })
  return failed === 0 ? 0 : 1
}

async function checkCache(settings: Options, origin: string, print: (...checks: Check[]) => void): Promise<void> {
  const cache = new ModelCache({ ...settings, signal: interrupted })
  const { context } = cache
  const folder = await checkFolder(context.layout, origin)
  print(folder)
  if (folder.level !== 'fail')
    print(
      await checkPermissions(context.layout),
      await checkLinks(context.layout),
      await checkDisk(cache),
      checkLoading(context, settings),
    )
  const proxy = await checkProxy(context)
  const canAsk = proxy.level !== 'fail'
  print(proxy, await checkToken(context, canAsk))
  if (canAsk) print(...(await checkHub(context)))
  print(await checkRemote(context))
}

/** The defaults with the settings of the environment. */
function settingsOfEnvironment(): Options | Check {
  try {
    return resolveOptions({}, process.env, process.cwd())
  } catch (error) {
    if (error instanceof ModelCacheError) return fail('environment', `${error.asked}: ${error.reason}`, error.nextStep)
    throw error
  }
}

function printCheck({ name, level, text, next }: Check): void {
  const then = next === undefined ? '' : ` → ${next}`
  printLines(`${MARKS[level]} ${name.padEnd(12)} ${text}${then}`)
}
