import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { systemCode } from '../../model/errors.ts'
import { RemoteError } from '../store.ts'

type ClientModule = typeof import('@aws-sdk/client-s3')
type UploadModule = typeof import('@aws-sdk/lib-storage')

/** Imports the package that asks S3. Throws `misused` if it is not installed. It takes 100 to 200 ms. */
export function importClient(): Promise<ClientModule> {
  return importInstalled('@aws-sdk/client-s3', () => import('@aws-sdk/client-s3'))
}

/** Imports the package that uploads large objects. Throws `misused` if it is not installed. */
export function importUpload(): Promise<UploadModule> {
  return importInstalled('@aws-sdk/lib-storage', () => import('@aws-sdk/lib-storage'))
}

/** Package managers install an optional peer beside this package. A linked copy of this package needs the folder of the project. */
async function importInstalled<Module>(name: string, imported: () => Promise<Module>): Promise<Module> {
  try {
    return await imported()
  } catch (error) {
    if (!isMissing(error)) throw error
  }
  const { resolve } = await import('import-meta-resolve')
  let url: string
  try {
    url = resolve(name, pathToFileURL(join(process.cwd(), 'package.json')).href)
  } catch (cause) {
    const install = 'npm install --save-dev @aws-sdk/client-s3 @aws-sdk/lib-storage'
    throw new RemoteError('misused', `An s3: address needs the package ${name}. Install it: \`${install}\`.`, { cause })
  }
  return import(url)
}

function isMissing(error: unknown): boolean {
  return ['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND'].includes(systemCode(error) ?? '')
}
