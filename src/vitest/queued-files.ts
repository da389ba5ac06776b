import type { TestSpecification, Vitest } from 'vitest/node'

type Specifications = ReadonlyArray<TestSpecification>

/** The absolute paths of the test files that a run is about to run, by project. */
export async function queuedFiles(vitest: Vitest, specifications: Specifications): Promise<Map<unknown, string[]>> {
  const files = new Map<unknown, string[]>()
  for (const { project, moduleId } of await ofShard(vitest, specifications)) {
    const ofProject = files.get(project) ?? []
    ofProject.push(moduleId)
    files.set(project, ofProject)
  }
  return files
}

/**
 * Vitest 4 divides the test files into shards only after the global setup. The same is done here, unless the user's own sequencer
 * divides them: its methods may have effects. Then the files of all shards count as queued. Can go with Vitest 4.
 */
async function ofShard(vitest: Vitest, specifications: Specifications): Promise<Specifications> {
  const { shard, sequence } = vitest.config
  if (!shard || !vitest.version.startsWith('4.')) return specifications
  const { BaseSequencer } = await import('vitest/node')
  const isOwn = sequence.sequencer.prototype.shard !== BaseSequencer.prototype.shard
  return isOwn ? specifications : new BaseSequencer(vitest).shard([...specifications])
}
