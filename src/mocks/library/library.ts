import type { MakeTensor } from '../tensor.ts'

/** The exports of the transformers.js that the tests loaded, by name. */
export type Library = Readonly<Record<string, unknown>>

type Class = abstract new (...args: never[]) => object

export function isClass(value: unknown): value is Class & { prototype: object } {
  return typeof value === 'function' && typeof value.prototype === 'object' && value.prototype !== null
}

/** The prototype of an exported class. Without such a class it is the prototype of all objects. */
export function prototypeOf(library: Library, name: string): object {
  const found = library[name]
  return isClass(found) ? found.prototype : Object.prototype
}

/** An instance of an exported class. */
export function construct(library: Library, name: string, ...args: unknown[]): object {
  const found = library[name]
  if (!isClass(found)) throw new TypeError(`This version of transformers.js exports no ${name}`)
  return Reflect.construct(found, args)
}

/** The name under which a class is exported. A class that a test derived from it has the same name. */
export function exportedName(library: Library, asked: object): string {
  const names = new Map(Object.entries(library).map(([name, value]) => [value, name]))
  for (let of: object | null = asked; of !== null; of = Object.getPrototypeOf(of)) {
    const name = names.get(of)
    if (name !== undefined) return name
  }
  return Reflect.get(asked, 'name')
}

/** Tensors of the library's own class. */
export function tensorMaker(library: Library): MakeTensor {
  return ({ type, data, dims }) => construct(library, 'Tensor', type, data, dims)
}

export interface TensorLike {
  dims: number[]
  data: ArrayLike<number | bigint>
}

export function isTensor(value: unknown): value is TensorLike {
  return typeof value === 'object' && value !== null && 'dims' in value && 'data' in value
}

/** An object that can be called. Models, tokenizers, processors and pipelines of transformers.js are such objects. */
export function callable(prototype: object, call: (...args: unknown[]) => unknown, fields: object): object {
  // `_call` is looked up for each call: a test may spy on it.
  const self: object = (...args: unknown[]) => Reflect.apply(Reflect.get(self, '_call'), self, args)
  Object.setPrototypeOf(self, prototype)
  Object.defineProperty(self, '_call', { value: call, configurable: true, writable: true })
  for (const [name, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(fields)))
    Object.defineProperty(self, name, { ...descriptor, configurable: true })
  return self
}
