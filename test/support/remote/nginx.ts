import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { execa } from 'execa'
import { findProgram } from '../find-program.ts'
import { removeFolder } from '../remove-folder.ts'

const LISTING_MODULE = '/usr/lib/nginx/modules/ngx_http_dav_ext_module.so'

/** The path of nginx: NGINX_PATH, else on PATH or where Debian has it. Undefined if it or its module for PROPFIND is missing. */
export const NGINX = findNginx()

export interface NginxOptions {
  /** What it demands for each request, or for writing only. */
  demands?: 'token' | 'password' | 'password to write'
  /** True: a PUT does not make missing folders, and fails. */
  lacksFolders?: boolean
  /** The methods that it takes. `''`: none but GET and HEAD. */
  methods?: string
}

export interface Nginx {
  /** Of the folder with the objects. */
  url: string
  folder: string
  close(): Promise<void>
}

export const NGINX_TOKEN = 'the-token'
export const NGINX_USER = 'ci'
export const NGINX_PASSWORD = 'the-password'

/** Starts nginx with a folder for objects, at a free port of this machine. */
export async function startNginx(options: NginxOptions = {}): Promise<Nginx> {
  if (NGINX === undefined) throw new Error('There is no nginx')
  const folder = await mkdtemp(join(tmpdir(), 'nginx-'))
  for (const name of ['objects', 'logs']) await mkdir(join(folder, name))
  // nginx takes a socket that listens already, as it does when its program is replaced. So the port is free for certain.
  const socket = await listening()
  const { port } = socket.address() as { port: number }
  await writeFile(join(folder, 'password'), `${NGINX_USER}:{PLAIN}${NGINX_PASSWORD}\n`)
  await writeFile(join(folder, 'nginx.conf'), configuration(folder, port, options))
  const running = execa(NGINX, ['-p', folder, '-c', 'nginx.conf', '-e', 'logs/error.log'], {
    stdio: ['ignore', 'pipe', 'pipe', Reflect.get(Reflect.get(socket, '_handle'), 'fd')],
    env: { NGINX: '3;' },
    reject: false,
  })
  socket.close()
  return {
    url: `http://127.0.0.1:${port}/models`,
    folder,
    async close() {
      running.kill('SIGTERM')
      await running
      await removeFolder(folder)
    },
  }
}

async function listening(): Promise<Server> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}

/** With a password it is that of docs/remote.md, without TLS. */
function configuration(folder: string, port: number, { demands, lacksFolders, methods }: NginxOptions): string {
  const access = {
    token: `if ($http_authorization != "Bearer ${NGINX_TOKEN}") { return 401; }`,
    password: `limit_except GET HEAD { auth_basic models; auth_basic_user_file ${folder}/password; }`,
    'password to write': `limit_except GET HEAD { auth_basic models; auth_basic_user_file ${folder}/password; }`,
    none: '',
  }[demands ?? 'none']
  const dav =
    methods === ''
      ? ''
      : `dav_methods ${methods ?? 'PUT DELETE MKCOL'}; create_full_put_path ${lacksFolders ? 'off' : 'on'};`
  return `
daemon off;
${process.getuid?.() === 0 ? 'user root;' : ''}
pid logs/nginx.pid;
load_module ${LISTING_MODULE};
events {}
http {
  access_log logs/access.log;
  client_body_temp_path bodies; proxy_temp_path proxied; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  server {
    listen 127.0.0.1:${port};
    location /models/ {
      alias ${folder}/objects/;
      client_max_body_size 0;
      ${access}
      ${dav}
      dav_ext_methods PROPFIND;
    }
  }
}
`
}

function findNginx(): string | undefined {
  if (!existsSync(LISTING_MODULE)) return undefined
  const { NGINX_PATH, PATH = '' } = process.env
  const folders = [...PATH.split(delimiter).filter(Boolean), '/usr/sbin']
  return findProgram([NGINX_PATH, ...folders.map((folder) => join(folder, 'nginx'))])
}
