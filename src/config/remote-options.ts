import process from 'node:process'
import * as v from 'valibot'
import type { UserRemote } from '../model/remote-object.ts'
import { isUserRemote, type RemoteOptions, S3_OPTIONS } from './remote-settings.ts'
import { parseDuration } from './units.ts'

const isWindows = process.platform === 'win32'
const ADDRESS =
  'an address such as "s3://bucket/prefix", "https://host/path" or "file:///mnt/share" (an absolute path), without user name and password, and with no other query than endpoint, region and pathStyle of S3'
const TIMEOUT = 'a duration greater than 0 such as "60s" or "5m", or a number of milliseconds'
const REMOTE = `false, ${ADDRESS}, an object with \`url\`, or what \`defineRemote()\` returns`

const address = v.pipe(v.string(ADDRESS), v.check(isRemoteAddress, ADDRESS))
const entries = {
  url: address,
  mode: v.optional(v.picklist(['read', 'read-write'], '"read" or "read-write"')),
  timeout: v.optional(
    v.pipe(
      v.union([v.string(), v.number()], TIMEOUT),
      v.check((input) => (parseDuration(input) ?? 0) > 0, TIMEOUT),
    ),
  ),
  uploadPrivate: v.optional(v.boolean('true or false')),
}
const withSettings = v.object(entries, REMOTE)
const ownRemote = v.custom<UserRemote>(isUserRemote)
const anyRemote = v.union([v.literal(false), address], REMOTE)

/** The names of the options of `remote`. */
export const REMOTE_NAMES = Object.keys(entries)

/** The schema of the option `remote`. Each shape has its own schema, so that an error names the part that is wrong. */
export const remoteSchema = v.lazy((input: unknown): v.GenericSchema<RemoteOptions | UserRemote | string | false> => {
  if (isUserRemote(input)) return ownRemote
  return typeof input === 'object' && input !== null ? withSettings : anyRemote
})

/** False for an unknown option, which may be a secret key, and for an endpoint with a user name or a password. */
function areOptionsOfS3(options: URLSearchParams): boolean {
  const endpoint = options.get('endpoint') ?? ''
  const { username, password } = URL.canParse(endpoint) ? new URL(endpoint) : { username: '', password: '' }
  return username + password === '' && [...options.keys()].every((name) => S3_OPTIONS.includes(name))
}

/**
 * True for an address of a scheme that a remote can have, with a host, bucket or absolute path, and without user name and password. An
 * error would print a password.
 */
function isRemoteAddress(input: string): boolean {
  if (!URL.canParse(input)) return false
  const { protocol, username, password, hostname, search, searchParams, hash } = new URL(input)
  if (username + password + hash !== '') return false
  if (protocol === 's3:') return hostname !== '' && areOptionsOfS3(searchParams)
  if (search !== '') return false
  // A relative path such as `file:share` is read as `/share`. On Windows the host names a file server.
  if (protocol === 'file:') return /^file:\/\/(\/|localhost\/)/i.test(input) || (isWindows && hostname !== '')
  return protocol === 'https:' || protocol === 'http:'
}
