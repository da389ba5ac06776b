import { linkSync } from 'node:fs'
import { inject, onTestFinished } from 'vitest'
import { ProjectFolder, type ProjectOptions } from './project-folder.ts'

/** A user's project in a temporary folder whose name contains a space, with the packed package installed. */
export const Consumer = {
  /** Creates a project that is removed when the test ends. All projects share the files of the package by hard links. */
  async create(options: Omit<ProjectOptions, 'packageDirectory' | 'place'>): Promise<ProjectFolder> {
    const packageDirectory = inject('packedPackage')
    const project = await ProjectFolder.create({ ...options, packageDirectory, place: linkSync })
    onTestFinished(() => project.remove())
    return project
  },
}
