import { inject, onTestFinished } from 'vitest'
import { ProjectFolder, type ProjectOptions } from './project-folder.ts'

/** A user's project in a temporary folder whose name contains a space, with the packed package installed. */
export const Consumer = {
  /** Creates a project that is removed when the test ends. */
  async create(options: Omit<ProjectOptions, 'packageDirectory'>): Promise<ProjectFolder> {
    const project = await ProjectFolder.create({ ...options, packageDirectory: inject('packedPackage') })
    onTestFinished(() => project.remove())
    return project
  },
}
