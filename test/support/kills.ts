import type { CacheProcess, Instant, Turn } from './cache-process/index.ts'
import { Engine, sha256 } from './engine.ts'
import { Examination, type Kind, type Models, type Report } from './soundness.ts'

const WHEN: Instant['when'][] = ['before', 'after', 'torn']

/** Processes that use one cache. Some of them are killed. */
export interface Scene {
  models: Models
  /** Models that are complete at the start, and that must stay complete. */
  kept: string[]
  /** The first one kills itself. The others are killed when it has ended. */
  victims: CacheProcess[]
  /** Settles when the first victim has been killed or has finished its work. */
  ended: Promise<void>
  /** Settles when the other processes have finished their work. Reports their failures. */
  others: (report: Report) => Promise<void>
  /** True if everything that may be removed is removed before the models are requested again. */
  isRemoved?: boolean
}

export interface Start {
  /** True if no other process does part of the victim's work, so that the victim always reaches its instant. */
  isAlone: boolean
  /**
   * The instant at which the first victim kills itself: a random one of its first `steps` steps. Its work must have more steps
   * than that, even without any wait for a lock (each check of a held lock is three steps).
   */
  within: (steps: number) => Instant
}

type Stage = (engine: Engine, start: Start) => Promise<Scene>

/** Kills processes at random steps of their work, and counts the damage to their caches. */
export class Kills {
  kills = 0
  /** The kills that came too late: the victim was alone and had finished its work before its instant. */
  readonly late: string[] = []
  readonly problems: { kind: Kind; kill: string; what: string }[] = []

  /** Makes one more kill, in a new cache that is removed afterwards. Every second victim is alone. */
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
      // Ends the processes first, then the Hub, then removes the folder.
      for (const end of ends.reverse()) await end()
    }
  }

  /** The number of kills that did this kind of damage. */
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

/** Reports the errors and the wrong files in the turns of a process that was not killed. */
export function expectRight(turns: Turn[], models: Models, report: Report): void {
  for (const { given, errors } of turns) {
    for (const error of errors) report('lost', `another process: ${error}`)
    for (const { repo, contents } of given) {
      const files = Object.entries(models[repo] ?? {})
      const isRight = files.every(([path, content]) => contents[path] === sha256(Buffer.from(content, 'latin1')))
      if (!isRight) report('corrupt', `another process got ${repo} with wrong bytes`)
    }
  }
}
