import { execa } from 'execa'

/** System commands that the benches compare with, and the packages that contain them. */
const PEERS = { aria2c: 'aria2', curl: 'curl', openssl: 'openssl', tee: 'coreutils', zstd: 'zstd' }

export type Peer = keyof typeof PEERS

/** The peers that are not installed on this machine, and a note about them. */
export async function missingPeers(peers: Peer[]): Promise<{ missing: Set<Peer>; notes: string[] }> {
  const found = await Promise.all(peers.map((peer) => execa('which', [peer], { reject: false })))
  const missing = peers.filter((_, index) => found[index]?.exitCode !== 0)
  const packages = missing.map((peer) => PEERS[peer])
  const note = `Not installed, so not measured: ${missing.join(', ')} (\`apt-get install ${packages.join(' ')}\`).`
  return { missing: new Set(missing), notes: missing.length > 0 ? [note] : [] }
}
