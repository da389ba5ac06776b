import type { Entry } from '../../model/entry.ts'

/** `org/name at 0123456` */
export function atCommit({ repo, commit }: Pick<Entry, 'repo' | 'commit'>): string {
  return `${repo} at ${commit.slice(0, 7)}`
}

/** `1 model`, `2 models` */
export function counted(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`
}
