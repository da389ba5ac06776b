import type { Library } from '../mocks/library/library.ts'
import { mockLibraryPipeline, mockPretrained } from '../mocks/library/library-mocks.ts'
import { noHub } from '../mocks/unit-mode-error.ts'
import type { ModelCacheError } from '../model/errors.ts'
import type { Bridge } from './bridge.ts'
import { isBelow } from './hub-url.ts'

export interface UnitSettings {
  /** The URLs of the hubs of which nothing may be asked. */
  bases: string[]
  /** Called for each mock that untouched code was given. */
  onMock?: () => void
  /** Called for each request that was refused. */
  onRefused?: (error: ModelCacheError) => void
}

/** The bridge of unit mode: mocks in place of models, and an error in place of each request to the Hub. */
export interface UnitBridge extends Bridge {
  mocks: {
    pipeline(library: Library, original: (...args: unknown[]) => unknown, args: unknown[]): unknown
    pretrained(library: Library, asked: object, args: unknown[]): unknown
  }
  /** `asked`: what would be read. */
  refuse(asked: string): never
}

export function openUnit({ bases, onMock, onRefused }: UnitSettings): UnitBridge {
  function refuse(asked: string): never {
    const error = noHub(asked)
    onRefused?.(error)
    throw error
  }
  const counted = <T>(made: T): T => {
    onMock?.()
    return made
  }
  return {
    bases,
    exists: () => false,
    loaded: () => undefined,
    refuse,
    locate: async (url) => refuse(url),
    async fetch(original, input, init) {
      const url = String(typeof input === 'object' && 'url' in input ? input.url : input)
      return isBelow(url, bases) ? refuse(`Request to ${url.split('?', 1)[0]}`) : original(input, init ?? undefined)
    },
    mocks: {
      pipeline: (library, _original, args) => counted(mockLibraryPipeline(library, args)),
      pretrained: (library, asked, args) => counted(mockPretrained(library, asked, args)),
    },
  }
}
