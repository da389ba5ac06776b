import { linkSync } from 'node:fs'
import { inject, onTestFinished } from 'vitest'
import { ProjectFolder, type ProjectOptions } from './project-folder.ts'

interface Options extends Omit<ProjectOptions, 'packageDirectory' | 'place'> {
  /** True if the project has the type declarations of the package: four of five of its files, which only `tsc` reads. */
  hasTypes?: boolean
}

/**
 * A user's project in a temporary folder whose name contains a space, with the packed package installed. All projects share the
 * files of the package by hard links.
 */
export const Consumer = {
  /** Creates a project that is removed when the test ends. */
  async create(options: Options): Promise<ProjectFolder> {
    const project = await Consumer.createForTests(options)
    onTestFinished(() => project.remove())
    return project
  },

  /** Creates a project for several tests, which the caller removes. */
  async createForTests({ hasTypes = false, ...options }: Options): Promise<ProjectFolder> {
    const place = hasTypes ? linkSync : linkCode
    return ProjectFolder.create({ ...options, packageDirectory: inject('packedPackage'), place })
  },
}

function linkCode(from: string, to: string): void {
  if (!/\.d\.[cm]?ts$/.test(from)) linkSync(from, to)
}
