import { join } from 'node:path'
import type { ProjectFolder } from '../support/project-folder.ts'
import { type Cost, type ProcessOptions, runProcess } from './process.ts'

/** Programs for the built package and its peers, as files of a project. Each prints its measurements as its last line. */
export const PROGRAMS = {
  // Loaded before any other program: prints the lifetime of the process at its end.
  'clock.cjs': `
    const { writeSync } = require('node:fs')
    process.once('exit', () => writeSync(1, '\\n' + JSON.stringify({ ms: performance.now() })))
  `,
  'empty.mjs': '',
  'lookup.mjs': `
    import { openModelCache } from 'vitest-model-cache/cache'
    const [model, files] = process.argv.slice(2)
    const started = performance.now()
    const cache = openModelCache()
    const found = await cache.get(model)
    const ms = performance.now() - started
    const again = performance.now()
    await cache.get(model)
    const againMs = performance.now() - again
    const read = performance.now()
    await openModelCache().get(model)
    const readMs = performance.now() - read
    if (found.tier !== 'disk' || found.files.size !== Number(files)) throw new Error(found.tier + ' ' + found.files.size)
    console.log(JSON.stringify({ ms, againMs, readMs }))
  `,
  // The work of the engine for a warm run, done twice. The first round takes longer, because its code runs for the first time.
  'warm-run.mjs': `
    import { ModelCache, openModelCache } from 'vitest-model-cache/cache'
    const models = process.argv.slice(2)
    const { options } = openModelCache().context
    const run = async (id) => {
      const started = performance.now()
      const cache = new ModelCache({ ...options, run: { id, pid: process.pid } })
      await cache.lastRuns(process.cwd(), 3)
      const results = await cache.warm(models)
      const manifest = await cache.manifest(results)
      const use = { revision: 'main', selection: '{}', files: [], tier: 'disk' }
      await cache.recordUses(manifest.models.map(({ repo, commit }) => ({ ...use, repo, commit })))
      await cache.maintain({ isOver: true })
      await cache.endRun()
      if (results.some((result) => result.cached?.tier !== 'disk')) throw new Error('Not all models were cached.')
      return performance.now() - started
    }
    console.log(JSON.stringify({ ms: await run('first'), againMs: await run('second') }))
  `,
  // Downloads models as a script does, with the defaults of the public API.
  'warm.mjs': `
    import { openModelCache } from 'vitest-model-cache/cache'
    for (const result of await openModelCache().warm(process.argv.slice(2))) if ('error' in result) throw result.error
  `,
  // The simplest verified download: one connection, whose bytes are hashed and written as they arrive. With SYNC they are on disk at the
  // end, as ours are.
  'one-stream.mjs': `
    import { createHash } from 'node:crypto'
    import { open } from 'node:fs/promises'
    const [url, path, sha256] = process.argv.slice(2)
    const hash = createHash('sha256')
    const file = await open(path, 'w')
    const { body } = await fetch(url)
    for await (const chunk of body) {
      hash.update(chunk)
      await file.write(chunk)
    }
    if (process.env.SYNC) await file.datasync()
    await file.close()
    if (hash.digest('hex') !== sha256) throw new Error('The digest is wrong.')
  `,
  // The same from a file.
  'one-read.mjs': `
    import { createHash } from 'node:crypto'
    import { createReadStream } from 'node:fs'
    import { open } from 'node:fs/promises'
    const [from, path, sha256] = process.argv.slice(2)
    const hash = createHash('sha256')
    const file = await open(path, 'w')
    for await (const chunk of createReadStream(from, { highWaterMark: 1 << 20 })) {
      hash.update(chunk)
      await file.write(chunk)
    }
    if (process.env.SYNC) await file.datasync()
    await file.close()
    if (hash.digest('hex') !== sha256) throw new Error('The digest is wrong.')
  `,
  // Takes a model from the remote of MODEL_CACHE_REMOTE.
  'restore.mjs': `
    import { openModelCache } from 'vitest-model-cache/cache'
    const { tier } = await openModelCache().get(process.argv[2])
    if (tier !== 'remote') throw new Error(tier)
  `,
  // Sends the models of the cache to that remote.
  'push.mjs': `
    import { openModelCache } from 'vitest-model-cache/cache'
    for (const { outcome, reason } of await openModelCache().push()) if (outcome !== 'shared') throw new Error(reason)
  `,
  // As the ones above, and say what crossed the network.
  'get.mjs': `
    import { openModelCache } from 'vitest-model-cache/cache'
    const started = performance.now()
    const { restoredBytes: received } = await openModelCache().get(process.argv[2])
    console.log(JSON.stringify({ ms: performance.now() - started, received }))
  `,
  'push-told.mjs': `
    import { openModelCache } from 'vitest-model-cache/cache'
    const started = performance.now()
    const pushed = await openModelCache().push()
    for (const { outcome, reason } of pushed) if (outcome !== 'shared') throw new Error(reason)
    const sent = pushed.reduce((sum, { sentBytes }) => sum + sentBytes, 0)
    console.log(JSON.stringify({ ms: performance.now() - started, sent }))
  `,
  // The simplest upload that knows what it sends: one request, whose bytes are hashed as they leave.
  'one-upload.mjs': `
    import { createHash } from 'node:crypto'
    import { createReadStream, createWriteStream } from 'node:fs'
    import { request } from 'node:http'
    import { pipeline } from 'node:stream/promises'
    import { fileURLToPath } from 'node:url'
    const [from, to, bytes, sha256] = process.argv.slice(2)
    const hash = createHash('sha256')
    async function* hashed(chunks) {
      for await (const chunk of chunks) {
        hash.update(chunk)
        yield chunk
      }
    }
    const source = createReadStream(from, { highWaterMark: 1 << 20 })
    if (to.startsWith('file:')) await pipeline(source, hashed, createWriteStream(fileURLToPath(to)))
    else {
      const put = request(to, { method: 'PUT', headers: { 'Content-Length': bytes } })
      const answered = new Promise((resolve, reject) => put.on('response', resolve).on('error', reject))
      await pipeline(source, hashed, put)
      const answer = await answered
      answer.resume()
      if (answer.statusCode !== 201) throw new Error('HTTP ' + answer.statusCode)
    }
    if (hash.digest('hex') !== sha256) throw new Error('The digest is wrong.')
  `,
  // Packs all models.
  'pack.mjs': `
    import { openModelCache } from 'vitest-model-cache/cache'
    const before = process.cpuUsage()
    const packed = await openModelCache().pack()
    const { user, system } = process.cpuUsage(before)
    for (const { reason } of packed) if (reason !== undefined) throw new Error(reason)
    const sum = (name) => packed.reduce((sum, each) => sum + each[name], 0)
    console.log(JSON.stringify({ bytes: sum('bytes'), packedBytes: sum('packedBytes'), cpuMs: (user + system) / 1000 }))
  `,
  // Restores packed models. Several arguments are the models of as many processes at once, each a list.
  'restore-packed.mjs': `
    import { spawn } from 'node:child_process'
    import { once } from 'node:events'
    import { openModelCache } from 'vitest-model-cache/cache'
    const [models, ...others] = process.argv.slice(2)
    const before = process.cpuUsage()
    const started = performance.now()
    const ends = others.map((each) => {
      return once(spawn(process.execPath, [process.argv[1], each], { stdio: ['ignore', 'ignore', 'inherit'] }), 'close')
    })
    const results = await openModelCache().warm(models.split(' '))
    for (const { cached, error } of results) if (cached?.tier !== 'cold') throw error ?? new Error(cached.tier)
    for (const [code] of await Promise.all(ends)) if (code !== 0) throw code
    const { user, system } = process.cpuUsage(before)
    console.log(JSON.stringify({ ms: performance.now() - started, cpuMs: (user + system) / 1000 }))
  `,
  'snapshot.mjs': `
    import { snapshotDownload } from '@huggingface/hub'
    const [repo, cacheDir] = process.argv.slice(2)
    await snapshotDownload({ repo, cacheDir, hubUrl: process.env.HF_ENDPOINT })
  `,
  'snapshot-twice.mjs': `
    import { snapshotDownload } from '@huggingface/hub'
    const [repo, cacheDir] = process.argv.slice(2)
    const ask = () => snapshotDownload({ repo, cacheDir, hubUrl: process.env.HF_ENDPOINT })
    const started = performance.now()
    await ask()
    const ms = performance.now() - started
    const again = performance.now()
    await ask()
    console.log(JSON.stringify({ ms, againMs: performance.now() - again }))
  `,
  'bring-in.mjs': `
    import { openModelCache } from 'vitest-model-cache/cache'
    const peak = () => process.resourceUsage().maxRSS * 1024
    const before = peak()
    const started = performance.now()
    await openModelCache().get(process.argv[2])
    console.log(JSON.stringify({ ms: performance.now() - started, extraBytes: peak() - before }))
  `,
  'verify.mjs': `
    import { openModelCache } from 'vitest-model-cache/cache'
    const before = process.cpuUsage()
    const started = performance.now()
    const { files, problems } = await openModelCache().verify()
    const ms = performance.now() - started
    const { user, system } = process.cpuUsage(before)
    if (files === 0 || problems.length > 0) throw new Error(JSON.stringify(problems))
    console.log(JSON.stringify({ ms, cpuMs: (user + system) / 1000 }))
  `,
}

/** The measurements that a program printed, and the cost of its whole process. */
export type Told<Name extends string> = Cost & Record<Name, number>

/** Runs a program of the project in a separate process. */
export async function runProgram<Name extends string = 'ms'>(
  project: ProjectFolder,
  args: string[],
  env: NodeJS.ProcessEnv = {},
): Promise<Told<Name>> {
  const cost = await runProcess(project.node, args, {
    cwd: project.directory,
    env: { ...project.environment, ...env },
  })
  return { ...cost, ...JSON.parse(cost.stdout.slice(cost.stdout.trimEnd().lastIndexOf('\n') + 1)) }
}

/** Runs Vitest in the project. The cost includes all its processes. */
export function runVitest(
  project: ProjectFolder,
  args: string[],
  env: NodeJS.ProcessEnv = {},
  options: Pick<ProcessOptions, 'countsPss'> = {},
): Promise<Cost> {
  const cli = join(project.directory, 'node_modules', 'vitest', 'vitest.mjs')
  const environment = { ...project.environment, ...env }
  return runProcess(project.node, [cli, 'run', ...args], { cwd: project.directory, env: environment, ...options })
}

/** Runs the package's command line; `ms` is the lifetime of its process, as the process measures it. */
export function runCommand(project: ProjectFolder, args: string[], env?: NodeJS.ProcessEnv): Promise<Told<'ms'>> {
  return runProgram(project, ['--require', './clock.cjs', project.bin, ...args], env)
}

/** Runs an empty program, which measures the time of Node.js itself. */
export function runEmpty(project: ProjectFolder): Promise<Told<'ms'>> {
  return runProgram(project, ['--require', './clock.cjs', 'empty.mjs'])
}
