/** One file of a project, and what `init` makes of it. */
export type Step =
  /** `before` is undefined where there is no such file yet. */
  | { kind: 'write'; path: string; what: string; before: string | undefined; after: string }
  /** Left alone: the lines are for the user to paste. */
  | { kind: 'paste'; path: string; why: string; lines: string[] }
  | { kind: 'done'; path: string; what: string }
