import { dirname, posix, relative, sep } from 'node:path'
import type { Plugin } from 'rolldown'

/** Has `import.meta.url` of a module below `folder` stay the module's own place in `dist`, whichever chunk the module is in. */
export function ownPlaces(folder: string): Plugin {
  const MARK = '__OWN_PLACE__'
  return {
    name: 'own-places',
    transform(code, id) {
      if (id.includes('node_modules')) return undefined
      const place = relative(folder, id).split(sep).join('/')
      return code.replaceAll('import.meta.url', `${MARK}(${JSON.stringify(place)})`)
    },
    renderChunk(code, { fileName }) {
      return code.replaceAll(new RegExp(`${MARK}\\("([^"]+)"\\)`, 'g'), (_, place) => {
        const path = posix.relative(dirname(fileName), place)
        return `new URL(${JSON.stringify(path.startsWith('.') ? path : `./${path}`)}, import.meta.url)`
      })
    },
  }
}
