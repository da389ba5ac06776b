import type { CacheProcess, Instant, Turn } from './cache-process/index.ts'
import { Engine, sha256 } from './engine.ts'
import { Examination, type Kind, type Models, type Report } from './soundness.ts'

const WHEN: Instant['when'][] = ['before', 'after', 'torn']

/** Processes that work on one cache. Some of them are killed. */
export interface Scene {
  models: Models
  /** Complete before, and to stay whatever happens. */
  kept: string[]
  /** The first kills itself. The others are killed when it is gone or done. */
  victims: CacheProcess[]
  /** Settles when the first victim is gone or done. */
  ended: Promise<void>
  /** Settles when the others have done what they were told; what did not go well is reported. */
  others: (report: Report) => Promise<void>
  /** True when all that may be removed is, before everything is asked for. */
  isRemoved?: boolean
}

export interface Start {
  /** True when no other process does a part of the victim's work: then the victim surely gets as far as its instant. */
  isAlone: boolean
  /**
   * When the first victim kills itself: at a random one of its first `steps` steps. Its work has more, also where it never waits for
   * a lock: each look at a lock that is held is three steps.
   */
  within: (steps: number) => Instant
}

type Stage = (engine: Engine, start: Start) => Promise<Scene>

/** Kills processes at random steps of their work, and counts what that did to their caches. */
export class Kills {
  kills = 0
  /** Victims that were alone and had done their work before the instant came. */
  readonly late: string[] = []
  readonly problems: { kind: Kind; kill: string; what: string }[] = []

  /** One more, in a cache of its own that is removed again. Every second victim is alone. */
  async one(name: string, stage: Stage): Promise<void> {
    const ends: (() => Promise<void>)[] = []
    const engine = await Engine.start((end) => ends.push(end))
    const isAlone = this.kills++ % 2 === 0
    let kill = ''
    const within = (steps: number) => {
      const instant = randomInstant(steps)
      kill = `kill ${this.kills}, ${instant.when} step ${instant.step} of ${name}`
      return instant
    }
    const report: Report = (kind, what) => this.problems.push({ kind, kill, what })
    try {
      const scene = await stage(engine, { isAlone, within })
      await scene.ended
      if (isAlone && !scene.victims[0]?.isGone) this.late.push(kill)
      await Promise.all(scene.victims.map((victim) => victim.kill()))
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

function randomInstant(steps: number): Instant {
  const when = WHEN[Math.floor(Math.random() * WHEN.length)] ?? 'before'
  return { step: 1 + Math.floor(Math.random() * steps), when }
}

async function examine(engine: Engine, { models, kept, isRemoved }: Scene, report: Report): Promise<void> {
  const examination = new Examination(engine, models, report)
  await examination.locks()
  await examination.metadata()
  await examination.files()
  await examination.entries(kept)
  if (isRemoved) await examination.removable(kept)
  for (const name of Object.keys(models)) await examination.get(name)
  await examination.files()
  await examination.removeAll()
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
