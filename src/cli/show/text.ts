import type { Entry } from '../../model/entry.ts'

/** `org/name at 0123456` */
export function atCommit({ repo, commit }: Pick<Entry, 'repo' | 'commit'>): string {
  return `${repo} at ${commit.slice(0, 7)}`
}
