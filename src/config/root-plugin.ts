/** The facts that decide whether the plugin of the root config serves a project. */
export interface ProjectState {
  /** The project's config file; `false` for a project that is written inline in the root config. */
  configFile: string | false | undefined
  hasPlugin: boolean
  isBrowser: boolean
}

/**
 * Chooses the projects that need the plugin of the root config: those without a plugin of their own. If one project already has the
 * root's plugin (by `extends: true`, or because it is the root project), the result is empty: the user left the others out on
 * purpose. Browser projects can't be served, so they are listed separately. A pure function.
 */
export function leftToRoot<State extends ProjectState>(
  rootFile: ProjectState['configFile'],
  projects: State[],
): { served: State[]; inBrowsers: State[] } {
  const isInherited = projects.some(({ configFile, hasPlugin }) => hasPlugin && configFile === rootFile)
  const without = isInherited ? [] : projects.filter(({ hasPlugin }) => !hasPlugin)
  return {
    served: without.filter(({ isBrowser }) => !isBrowser),
    inBrowsers: without.filter(({ isBrowser }) => isBrowser),
  }
}
