import { setTimeout as wait } from 'node:timers/promises'
import type { CacheProcess, Turn } from './cache-process/index.ts'
import { Engine, sha256 } from './engine.ts'
import { Examination, type Kind, type Models, type Report } from './soundness.ts'

/** Processes at work on one cache, some of which are about to be killed. */
export interface Scene {
  models: Models
  /** Complete before, and to stay whatever happens. */
  kept: string[]
  victims: CacheProcess[]
  /** Settles when the others have done what they were told; what did not go well is reported. */
  others: (report: Report) => Promise<void>
  /** The kill comes within so many milliseconds. */
  spanMs: number
  /** True when all that may be removed is, before everything is asked for. */
  isRemoved?: boolean
}

/** Kills processes at random instants, and counts what that did to their caches. */
export class Kills {
  kills = 0
  /** Kills in the middle of work: a lock was left. */
  inTheMiddle = 0
  readonly problems: { kind: Kind; kill: string; what: string }[] = []

  /** One more, in a cache of its own that is removed again. */
  async one(name: string, stage: (engine: Engine) => Promise<Scene>): Promise<void> {
    const ends: (() => Promise<void>)[] = []
    const engine = await Engine.start((end) => ends.push(end))
    const kill = `${++this.kills} in the middle of ${name}`
    const report: Report = (kind, what) => this.problems.push({ kind, kill, what })
    try {
      const scene = await stage(engine)
      await wait(Math.random() * scene.spanMs)
      await Promise.all(scene.victims.map((victim) => victim.kill()))
      if ((await locksOf(engine)).length > 0) this.inTheMiddle++
      engine.hub.throttle({})
      await scene.others(report)
      await examine(engine, scene, report)
    } finally {
      // The processes first, then the hub and the folder.
      for (const end of ends.reverse()) await end()
    }
  }

  /** How many kills did such harm. */
  count(kind: Kind): number {
    return new Set(this.problems.filter((problem) => problem.kind === kind).map(({ kill }) => kill)).size
  }

  toString(): string {
    const kinds: Kind[] = ['corrupt', 'half-visible', 'lost', 'stuck']
    return `${this.kills} kills: ${kinds.map((kind) => `${this.count(kind)} ${kind}`).join(', ')}`
  }
}

async function examine(engine: Engine, { models, kept, isRemoved }: Scene, report: Report): Promise<void> {
  const examination = new Examination(engine, models, report)
  await examination.metadata()
  await examination.files()
  await examination.entries(kept)
  if (isRemoved) await examination.removable(kept)
  for (const name of Object.keys(models)) await examination.get(name)
  await examination.files()
  await examination.removeAll()
}

async function locksOf(engine: Engine): Promise<string[]> {
  return (await engine.listing().catch(() => [])).filter((path) => /\.lock(\.takeover)*$/.test(path))
}

/** Reports what a process that nobody killed found wrong in its turns. */
export function expectRight(turns: Turn[], models: Models, report: Report): void {
  for (const { given, errors } of turns) {
    for (const error of errors) report('lost', `another process: ${error}`)
    for (const { repo, contents } of given) {
      const files = Object.entries(models[repo] ?? {})
      const isRight = files.every(([path, content]) => contents[path] === sha256(Buffer.from(content, 'latin1')))
      if (!isRight) report('corrupt', `another process was given ${repo} with other bytes`)
    }
  }
}
