import type { Environment } from '../../config/environment-variables.ts'
import { S3_OPTIONS } from '../../config/remote-settings.ts'
import { RemoteError } from '../store.ts'

/** Where the objects of a store lie. */
export interface S3Address {
  bucket: string
  /** Empty, or it ends with a slash. */
  prefix: string
  /** Undefined: that of AWS, or the one that the AWS profile names. */
  endpoint?: string
  /** Undefined: that of AWS_REGION or of the AWS profile. */
  region?: string
  /** True: `https://host/bucket/key`. False: `https://bucket.host/key`. */
  pathStyle: boolean
}

/** Reads an address such as `s3://bucket/prefix?endpoint=https://host&region=auto`. Throws `misused`. */
export function readAddress(url: URL, env: Environment): S3Address {
  if (url.username || url.password)
    throw misused(url, 'It holds credentials. Remove them, and set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY')
  const unknown = [...url.searchParams.keys()].find((name) => !S3_OPTIONS.includes(name))
  if (unknown !== undefined) throw misused(url, `It has an unknown option. The options are ${S3_OPTIONS.join(', ')}`)
  if (!/^[\w.-]{1,255}$/.test(url.host))
    throw misused(url, 'It names no bucket. It has to look like s3://bucket/prefix')
  const endpoint = optionOf(url, 'endpoint') || env.AWS_ENDPOINT_URL_S3 || env.AWS_ENDPOINT_URL || undefined
  return {
    bucket: url.host,
    prefix: prefixOf(url),
    ...(endpoint && { endpoint: checkedEndpoint(url, endpoint) }),
    region: optionOf(url, 'region'),
    pathStyle: pathStyleOf(url, endpoint),
  }
}

/** The address without credentials and without a query string, for messages. */
export function shownAddress(url: URL): string {
  const endpoint = url.searchParams.get('endpoint')
  const host = endpoint && URL.canParse(endpoint) ? ` at ${new URL(endpoint).host}` : ''
  return `s3://${url.host}${url.pathname.replace(/\/+$/, '')}${host}`
}

function prefixOf(url: URL): string {
  const path = decoded(url).replace(/^\/+|\/+$/g, '')
  if (path === '') return ''
  if (/[^\w.\-/]|(^|\/)(\.{1,2})?(\/|$)/.test(path))
    throw misused(url, 'Its prefix may have only ASCII letters, digits and ._-/, and no empty part')
  return `${path}/`
}

function decoded(url: URL): string {
  try {
    return decodeURIComponent(url.pathname)
  } catch {
    return url.pathname
  }
}

function checkedEndpoint(url: URL, endpoint: string): string {
  const parsed = URL.canParse(endpoint) ? new URL(endpoint) : undefined
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol))
    throw misused(url, 'Its endpoint is not an address that begins with https:// or http://')
  if (parsed.username || parsed.password) throw misused(url, 'Its endpoint holds credentials. Remove them')
  return parsed.href
}

/** Servers other than AWS often have no DNS name for each bucket. A bucket with a dot has no valid certificate at AWS. */
function pathStyleOf(url: URL, endpoint: string | undefined): boolean {
  const given = optionOf(url, 'pathStyle')
  if (given !== undefined && given !== 'true' && given !== 'false')
    throw misused(url, 'Its option pathStyle is neither true nor false')
  return given === undefined ? endpoint !== undefined || url.host.includes('.') : given === 'true'
}

function optionOf(url: URL, name: string): string | undefined {
  return url.searchParams.get(name) || undefined
}

function misused(url: URL, reason: string): RemoteError {
  return new RemoteError('misused', `${shownAddress(url)}: ${reason}.`)
}
