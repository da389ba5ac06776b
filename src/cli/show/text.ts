/** `org/name at 0123456` */
export function atCommit({ repo, commit }: { repo: string; commit: string }): string {
  return `${repo} at ${commit.slice(0, 7)}`
}
