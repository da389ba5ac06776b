/** The tests that a run is about to run. */
export interface Queue {
  /** The test files, relative to the project's root. */
  files: string[]
  /** Only tests with such names run. */
  testNamePattern?: string
}
