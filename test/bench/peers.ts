import { execa } from 'execa'

/** Commands of the system that benches compare with, and the packages that have them. */
const PEERS = { aria2c: 'aria2', curl: 'curl', openssl: 'openssl', tee: 'coreutils' }

export type Peer = keyof typeof PEERS

/** Which peers are not on this machine, and the note that says so. */
export async function missingPeers(peers: Peer[]): Promise<{ missing: Set<Peer>; notes: string[] }> {
  const found = await Promise.all(peers.map((peer) => execa('which', [peer], { reject: false })))
  const missing = peers.filter((_, index) => found[index]?.exitCode !== 0)
  const packages = missing.map((peer) => PEERS[peer])
  const note = `Left out: ${missing.join(', ')} (\`apt-get install ${packages.join(' ')}\`).`
  return { missing: new Set(missing), notes: missing.length > 0 ? [note] : [] }
}
