import { linkSync } from 'node:fs'
import { inject, onTestFinished } from 'vitest'
import { ProjectFolder, type ProjectOptions } from './project-folder.ts'

type Options = Omit<ProjectOptions, 'packageDirectory' | 'place'>

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
  async createForTests(options: Options): Promise<ProjectFolder> {
    return ProjectFolder.create({ ...options, packageDirectory: inject('packedPackage'), place: linkSync })
  },
}
