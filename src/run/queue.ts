import type { Model } from '../model/model.ts'

/** The tests that a run is about to run. */
export interface Queue {
  /** The test files, relative to the project's root. */
  files: string[]
  /** Only tests with such names run. */
  testNamePattern?: string
  /** The flags of this pattern, such as `i`. */
  testNameFlags?: string
  /** Where the runner finds the project's modules. By default, imports are followed that are relative and stay below the root. */
  places?: () => ProjectPlaces
}

/** Where the runner finds the modules of a project. */
export interface ProjectPlaces {
  /** Files outside of these folders are not read. Absolute. */
  folders: string[]
  /** Files that run before each test file. Absolute. */
  setupFiles: string[]
  /** The runner's own resolver. Returns the path of a module, for names that are no relative paths. */
  resolve?: (specifier: string, importer: string) => Promise<string | undefined>
  /** Differs if the resolver gives other answers. */
  resolvedBy?: string
}

/** The models that a test file names, in its source and in the files that it imports. */
export interface NamedModels {
  /** The models whose files are known. */
  models: Model[]
  /** Texts that may be ids of models. They count only if such a model is known from elsewhere. */
  ids: string[]
  /** False if the file may load further models, as far as the sources tell. */
  isWhole: boolean
  /** Differs if the file names other models than before. It is about all tests of the file. */
  digest: string
}
