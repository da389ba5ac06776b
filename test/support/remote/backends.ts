import type { Backend } from './backend.ts'
import { folderBackend } from './folder-backend.ts'
import { httpBackends } from './http-servers.ts'
import { s3Backends } from './s3-servers.ts'

/** All kinds of stores, each on a real server. The tests of the contract run on each. */
export const backends: Backend[] = [folderBackend, ...httpBackends, ...s3Backends]
