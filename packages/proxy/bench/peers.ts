import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { Agent, createServer, request, type RequestListener } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import httpProxy from '@fastify/http-proxy'
import fastify from 'fastify'
import { createProxyMiddleware } from 'http-proxy-middleware'

const CONNECTIONS = 64

/** The minimum of a proxy with `http.request`. It has no retries and no health checks. */
export function nodeClientProxy(origin: string): RequestListener {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS })
  return (req, res) => {
    const { method, url, headers } = req
    const options = { agent, headers, path: url, ...(method && { method }) }
    const upstream = request(origin, options, (answer) => {
      res.writeHead(answer.statusCode ?? 502, answer.rawHeaders)
      answer.pipe(res)
    })
    upstream.on('error', () => res.destroy())
    req.pipe(upstream)
  }
}

export function middlewareProxy(origin: string): RequestListener {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS })
  const middleware = createProxyMiddleware({ target: origin, agent, xfwd: true })
  return (req, res) => void middleware(req, res, () => res.destroy())
}

/** @returns the origin of a Fastify server with its proxy */
export async function startFastify(origin: string): Promise<string> {
  const app = fastify()
  await app.register(httpProxy, { upstream: origin, undici: { connections: CONNECTIONS } })
  return app.listen({ port: 0, host: '127.0.0.1' })
}

/** The binary of nginx, if this machine has one. */
export function findNginx(): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
  return folders.map((folder) => join(folder, 'nginx')).find((path) => existsSync(path))
}

export interface Nginx {
  child: ChildProcess
  origin: string
  /** The CPU time of its only process, in microseconds. */
  cpu(): number
}

/** Starts nginx with one process, and connections to the origin that are kept alive. */
export async function startNginx(binary: string, origin: string): Promise<Nginx> {
  const folder = mkdtempSync(join(tmpdir(), 'nginx-'))
  const port = await freePort()
  writeFileSync(join(folder, 'nginx.conf'), configOf(folder, port, new URL(origin).host))
  const child = spawn(binary, ['-p', folder, '-c', join(folder, 'nginx.conf')], { stdio: 'ignore' })
  const started = await waitUntilReady(`http://127.0.0.1:${port}`)
  return {
    child,
    origin: started,
    cpu() {
      const [ns = '0'] = readFileSync(`/proc/${child.pid}/schedstat`, 'utf8').split(' ')
      return Number(ns) / 1_000
    },
  }
}

const configOf = (folder: string, port: number, host: string) => `
daemon off; master_process off; worker_processes 1; pid ${folder}/pid; error_log /dev/null;
events { worker_connections 1024; }
http {
  access_log off; keepalive_requests 1000000000;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/a; uwsgi_temp_path ${folder}/b; scgi_temp_path ${folder}/c;
  upstream origin { server ${host}; keepalive ${CONNECTIONS}; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://origin; proxy_http_version 1.1;
      proxy_set_header Connection ""; proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Host $host;
      proxy_set_header X-Forwarded-Proto $scheme;
    }
  }
}`

async function freePort(): Promise<number> {
  const server = createTcpServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  return address && typeof address === 'object' ? address.port : 0
}

async function waitUntilReady(origin: string): Promise<string> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const response = await fetch(origin).catch(() => undefined)
    await response?.text()
    if (response?.ok) return origin
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('nginx did not start')
}

/** Starts a node:http server of a listener. @returns its origin */
export async function startServer(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return `http://127.0.0.1:${address && typeof address === 'object' ? address.port : 0}`
}
