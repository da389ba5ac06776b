import type { Library } from '../mocks/library/library.ts'
import { mockLibraryPipeline, mockPretrained } from '../mocks/library/library-mocks.ts'
import { noHub } from '../mocks/unit-mode-error.ts'
import type { ModelCacheError } from '../model/errors.ts'
import type { Bridge } from './bridge.ts'
import { isBelow } from './hub-url.ts'

export interface UnitSettings {
  /** The URLs of the hubs to which no request may be sent. */
  bases: string[]
  /** Called for each mock that untouched code gets. */
  onMock?: () => void
  /** Called for each request that is refused. */
  onRefused?: (error: ModelCacheError) => void
}

/** The bridge of unit mode: it returns mocks in place of models, and throws for each request to the Hub. */
export interface UnitBridge extends Bridge {
  mocks: {
    pipeline(library: Library, original: (...args: unknown[]) => unknown, args: unknown[]): unknown
    pretrained(library: Library, asked: object, args: unknown[]): unknown
  }
  /** Throws `UNIT_MODE`. `asked` names the file or the request. */
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
    createSession: (asked, create) => create(asked.model, asked.options),
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
