import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { createServer } from 'node:tls'

/** A self-signed certificate for 127.0.0.1, valid for a hundred years (`openssl req -x509 -days 36500`). */
export const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBrTCCAVKgAwIBAgIUY8QOpDizRvePjRQrZa42bGA34yUwCgYIKoZIzj0EAwIw
IjEgMB4GA1UEAwwXdml0ZXN0LW1vZGVsLWNhY2hlIHRlc3QwIBcNMjYxMTIyMjE0
NDM2WhgPMjEyNjEwMjkyMTQ0MzZaMCIxIDAeBgNVBAMMF3ZpdGVzdC1tb2RlbC1j
YWNoZSB0ZXN0MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEpYYEVZx/BLaZL5oD
SuP5bhyWz+6J2nE4LneRJ0nmJw0tqyBtibJWO8MgiMXn9ycjexys/BJWBFyGbtvO
ZmxV8KNkMGIwHQYDVR0OBBYEFGQddeSLIC3ESGwFyEkFZ9Cry2zcMB8GA1UdIwQY
MBaAFGQddeSLIC3ESGwFyEkFZ9Cry2zcMA8GA1UdEwEB/wQFMAMBAf8wDwYDVR0R
BAgwBocEfwAAATAKBggqhkjOPQQDAgNJADBGAiEApC8DVZo8z/UhEB8r4EkiqapY
Q6XXP+HP63VOV8UQu2MCIQCr+yZj4K7o57GjW2T2tp9LoFZkTMjGlxhoexFb6zHP
HQ==
-----END CERTIFICATE-----
`

// This key is used only in these tests.
const KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg99KWdrb5bp0lzaDH
IWSkbWxHLPFxgexpdbT31qxLm+GhRANCAASlhgRVnH8EtpkvmgNK4/luHJbP7ona
cTgud5EnSeYnDS2rIG2JslY7wyCIxef3JyN7HKz8ElYEXIZu285mbFXw
-----END PRIVATE KEY-----
`

/** Starts a TLS proxy in front of a plain HTTP server. Returns its URL and a function that closes it. */
export async function startTls(url: string): Promise<{ url: string; close: () => void }> {
  const { hostname, port } = new URL(url)
  const server = createServer({ cert: CERTIFICATE, key: KEY }, (socket) => {
    const behind = connect(Number(port), hostname)
    for (const [from, to] of [
      [socket, behind],
      [behind, socket],
    ] as const)
      from.on('error', () => to.destroy()).pipe(to)
  })
  // A client that does not trust the certificate closes the connection.
  server.on('tlsClientError', () => undefined)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => server.close() }
}
