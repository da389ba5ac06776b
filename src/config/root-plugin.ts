/** What decides whether a project of a run is served by the plugin of the root config. */
export interface ProjectState {
  /** The config file that the project was made from; `false` for one that is written in the root config. */
  configFile: string | false | undefined
  hasPlugin: boolean
  isBrowser: boolean
}

/**
 * The projects that the plugin of the root config has to be given to: those without one of their own. None where one of the projects has
 * the plugin from the root config itself, by `extends: true` or as the root's own: then the others were left out on purpose.
 * Those in a browser can't be served. Pure.
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
