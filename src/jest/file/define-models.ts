/**
 * Defines the global `models` of a test file. A file that sets a global of that name has its own. It is not enumerable, so suites that
 * compare the keys of the global object do not see it.
 */
export function defineModels(global: object, get: () => unknown): void {
  const set = (value: unknown) => Object.defineProperty(global, 'models', { value, writable: true, configurable: true })
  Object.defineProperty(global, 'models', { get, set, configurable: true })
}
