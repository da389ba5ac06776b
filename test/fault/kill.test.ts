import { randomBytes } from 'node:crypto'
import { afterAll, expect, test } from 'vitest'
import type { CacheProcess, Instant } from '../support/cache-process/index.ts'
import type { Engine } from '../support/engine.ts'
import { expectRight, Kills, type Scene, type Start } from '../support/kills.ts'
import { mappableOnnx } from '../support/onnx-source.ts'
import type { Models, Report } from '../support/soundness.ts'

// The total over all kinds. `npm run soak` does 300.
const KILLS = Number(process.env.KILLS ?? 20)
const MEGABYTE = 1 << 20

/** One model of many small files, and three with weights whose download can be continued. */
const COLD: Models = {
  'org/small': Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`${index}.json`, text(500 + index)])),
  ...Object.fromEntries(
    ['org/one', 'org/two', 'org/three'].map((name, index) => [
      name,
      { 'config.json': text(300), 'weights.bin': text(2 * MEGABYTE + index), 'model.onnx': mappable() },
    ]),
  ),
}
const COMPLETE: Models = { 'org/complete': { 'config.json': '{}', 'weights.bin': text(2000) } }

/** Models of about 20 kB each. */
const FRESH = smallModels('fresh', 5)
const OLD = { ...smallModels('old', 5), 'org/old-mapped': { 'config.json': text(200), 'model.onnx': mappable() } }
const LATER = smallModels('later', 5)

function smallModels(name: string, count: number): Models {
  return Object.fromEntries(
    Array.from({ length: count }, (_, index) => [
      `org/${name}-${index}`,
      { 'config.json': text(200), 'vocab.txt': text(300 + index), 'weights.bin': text(20_000) },
    ]),
  )
}

function text(length: number): string {
  return randomBytes(length).toString('latin1')
}

function mappable(): string {
  return mappableOnnx(randomBytes(MEGABYTE)).toString('latin1')
}

/** True with a probability of one half. */
const sometimes = () => Math.random() < 0.5
const below = (count: number) => Math.floor(Math.random() * count)

function publish(engine: Engine, models: Models): string[] {
  for (const [name, files] of Object.entries(models)) {
    const bytes = Object.entries(files).map(([path, content]) => [path, Buffer.from(content, 'latin1')])
    engine.hub.addRepo(name, { files: Object.fromEntries(bytes) })
  }
  return Object.keys(models)
}

async function processes(engine: Engine, count: number): Promise<CacheProcess[]> {
  return Promise.all(Array.from({ length: count }, () => engine.spawn()))
}

/** Gives each process the same task. The first one kills itself at `instant`. */
function beginAll(all: CacheProcess[], instant: Instant, verb: 'warm' | 'use', models: string[][], turns?: number) {
  const ends = all.map((process, index) =>
    process.begin(verb, models[index % models.length] ?? [], turns, index === 0 ? instant : undefined),
  )
  return { ended: Promise.race(ends.slice(0, 1)), allEnded: Promise.all(ends) }
}

/** All processes or only the first one, at random. */
function someOf(all: CacheProcess[]): CacheProcess[] {
  return sometimes() ? all : all.slice(0, 1)
}

/** One process, or two to four of them, warm up the same cold models. */
async function coldWarmUp(engine: Engine, { within, isAlone }: Start): Promise<Scene> {
  const models = { ...COLD, ...COMPLETE }
  const kept = publish(engine, COMPLETE)
  const cold = publish(engine, COLD)
  for (const name of kept) await engine.open().get(name)
  return { models, kept, ...(await warmTogether(engine, models, cold, within(200), isAlone ? 1 : 2 + below(3))) }
}

/** One process, or two to three of them, warm up models in a cache folder that does not exist yet. */
async function newFolder(engine: Engine, { within, isAlone }: Start): Promise<Scene> {
  const cold = publish(engine, FRESH)
  return {
    models: FRESH,
    kept: [],
    ...(await warmTogether(engine, FRESH, cold, within(150), isAlone ? 1 : 2 + below(2))),
  }
}

async function warmTogether(engine: Engine, models: Models, cold: string[], instant: Instant, count: number) {
  const all = await processes(engine, count)
  const { ended, allEnded } = beginAll(all, instant, 'warm', [cold])
  const victims = someOf(all)
  const others = async (report: Report) => {
    await allEnded
    for (const process of all) if (!victims.includes(process)) expectRight(process.turns, models, report)
  }
  return { victims, ended, others }
}

/** One to three processes record uses, each of a different model. */
async function metadataWrites(engine: Engine, { within, isAlone }: Start): Promise<Scene> {
  const names = publish(engine, FRESH)
  await engine.open().warm(names)
  const all = await processes(engine, isAlone ? 1 : 2 + below(2))
  const own = names.map((name) => [name])
  const { ended, allEnded } = beginAll(all, within(140), 'use', own, Number.MAX_SAFE_INTEGER)
  const victims = someOf(all)
  const others = async (report: Report) => {
    for (const process of all) process.stop()
    await allEnded
    const entries = await engine.open().list()
    for (const [index, process] of all.entries()) {
      const hits = entries.find(({ repo }) => repo === names[index])?.hits ?? 0
      // The killed process may have written a use and not reported it.
      const most = process.turns.length + (victims.includes(process) ? 1 : 0)
      if (hits < process.turns.length || hits > most)
        report('lost', `${hits} uses are recorded, ${process.turns.length} were written`)
      if (!victims.includes(process)) expectRight(process.turns, FRESH, report)
    }
  }
  return { models: FRESH, kept: names, victims, ended, others }
}

/** A process removes models. Unless it is alone, a test run uses some of them at the same time. */
async function removals(engine: Engine, { within, isAlone }: Start): Promise<Scene> {
  const models = { ...FRESH, ...OLD, ...LATER, ...COMPLETE }
  const kept = publish(engine, COMPLETE)
  const [fresh, old, later] = [publish(engine, FRESH), publish(engine, OLD), publish(engine, LATER)]
  await engine.open().warm([...fresh, ...old, ...kept.map((repo) => ({ repo, pin: true }))])
  for (const repo of old) await engine.setRecord(repo, { lastAccessDate: '2020-01-01T00:00:00.000Z' })
  // The limit has room for three models.
  const victim = await engine.spawn({ maxSize: 65_000 })
  const others = await runBeside(engine, isAlone ? [] : fresh.slice(0, 3), models)
  const ended =
    [
      // In the background, nothing is removed while a run is live.
      () => victim.begin(isAlone && sometimes() ? 'maintainInBackground' : 'maintain', [], 1, within(80)),
      // Each download evicts another model.
      () => victim.begin('get', later, Number.MAX_SAFE_INTEGER, within(600)),
      () => victim.begin('remove', [...old, ...fresh.slice(3)], 1, within(120)),
    ][below(3)]?.() ?? Promise.resolve()
  return { models, kept, victims: [victim], ended, others, isRemoved: true }
}

/** A process packs models, restores them, or frees pack files. Unless it is alone, a test run uses some of them at the same time. */
async function packing(engine: Engine, { within, isAlone }: Start): Promise<Scene> {
  const models = { ...FRESH, ...COMPLETE }
  const kept = publish(engine, models)
  await engine.open().warm(kept)
  const victim = await engine.spawn()
  const stages = [
    async () => victim.begin('pack', kept, 1, within(200)),
    async () => {
      await engine.open().pack()
      return victim.begin(sometimes() ? 'get' : 'unpack', kept, 1, within(150))
    },
    async () => {
      await engine.open().pack()
      for (const name of kept.slice(0, 3)) await engine.open().get(name)
      return victim.begin(sometimes() ? 'optimize' : 'maintain', kept, 1, within(25))
    },
  ]
  const ended = (await stages[below(3)]?.()) ?? Promise.resolve()
  const others = await runBeside(engine, isAlone ? [] : kept.slice(0, 2), models)
  return { models, kept, victims: [victim], ended, others }
}

/** Starts a test run that requests the `used` models again and again, if there are any. Returns how to end and to examine it. */
async function runBeside(engine: Engine, used: string[], models: Models): Promise<Scene['others']> {
  if (used.length === 0) return async () => undefined
  const run = await engine.spawn({ isRun: true })
  const ended = run.begin('get', used, Number.MAX_SAFE_INTEGER)
  return async (report) => {
    run.stop()
    await ended
    expectRight([...run.turns, await run.do('revisit', used)], models, report)
    await run.kill()
  }
}

const KINDS = [
  ['a cold warm-up', coldWarmUp],
  ['the first steps in a new folder', newFolder],
  ['writes of metadata', metadataWrites],
  ['evictions, expiry and removals', removals],
  ['packing and restoring', packing],
] as const
const total = new Kills()

afterAll(() => console.log(`${total}`))

test.each(KINDS)(
  'a kill during %s loses no complete model, makes no unfinished file visible, and blocks no other process',
  async (name, stage) => {
    for (let round = 0; round < KILLS / KINDS.length; round++) await total.one(name, stage)
    expect(total.problems.filter(({ kill }) => kill.endsWith(name))).toEqual([])
  },
  KILLS * 10_000,
)

test('each kill took effect before the task had ended', () => {
  expect(total.late).toEqual([])
})
