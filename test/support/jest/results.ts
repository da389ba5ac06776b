/** What Jest prints with `--json`: those of its fields that tests read. */
export interface JestResults {
  success: boolean
  numPassedTests: number
  numFailedTests: number
  testResults: {
    name: string
    /** Milliseconds of the clock, as is `endTime`. */
    startTime: number
    endTime: number
    /** The errors of the file, as Jest prints them. */
    message: string
    assertionResults: { fullName: string; status: string; failureMessages: string[] }[]
  }[]
}

/** The parsed output of `jest --json`; undefined if it is not JSON alone. */
export function jestResultsOf(stdout: string): JestResults | undefined {
  try {
    return JSON.parse(stdout)
  } catch {
    return undefined
  }
}
