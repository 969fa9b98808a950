import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:https'
import { join } from 'node:path'
import { findRedisServer, freePort, startRedisServer } from '@repo/embedded'
import type { Job } from '@repo/monitoring/prometheus'
import { Redis } from 'ioredis'
import { generate } from 'selfsigned'
import { endWithProgram } from '../ending.ts'

const BLACKBOX = join(import.meta.dirname, '../../../observability/blackbox.yml')
const DAY_MS = 86_400_000

/** Parts beside the cluster that have exporters: a small Redis, and a server with a certificate. */
export interface SideParts extends AsyncDisposable {
  jobs: Job[]
  /** Fills the Redis, which evicts keys; undefined where no native Redis is available. */
  fillRedis: (() => Promise<void>) | undefined
  emptyRedis(): Promise<void>
  /** Replaces the certificate, which ends within ten days, by one of ninety days. */
  renewCertificate(): Promise<void>
}

export async function startSideParts(tools: string): Promise<SideParts> {
  const children: ChildProcess[] = []
  async function startExporter(program: string, ...args: string[]): Promise<string> {
    const address = `127.0.0.1:${await freePort()}`
    const options = [`--web.listen-address=${address}`, ...args]
    const child = spawn(join(tools, program), options, { stdio: 'ignore' })
    children.push(endWithProgram(child))
    return address
  }

  const command = await findRedisServer()
  const redis =
    command === undefined ? undefined : await startRedisServer(command, ['maxmemory 8mb'])
  const client = redis && new Redis(redis.port, '127.0.0.1')
  // The wrong policy on purpose.
  await client?.config('SET', 'maxmemory-policy', 'allkeys-lru')

  const site = createServer(await certificate(10), (_, res) => void res.end('ready'))
  site.listen(0, '127.0.0.1')
  await once(site, 'listening')
  const address = site.address()
  if (address === null || typeof address === 'string') throw new Error('the site has no port')
  const url = `https://127.0.0.1:${address.port}/`

  const blackbox = await startExporter('prometheus-blackbox-exporter', `--config.file=${BLACKBOX}`)
  const jobs: Job[] = [
    {
      name: 'certificate',
      path: '/probe',
      params: { module: 'certificate', target: url },
      targets: [{ address: blackbox, labels: { instance: url } }],
    },
  ]
  if (redis) {
    const exporter = await startExporter(
      'prometheus-redis-exporter',
      `--redis.addr=redis://127.0.0.1:${redis.port}`,
    )
    jobs.push({ name: 'redis', targets: [{ address: exporter, labels: { instance: 'redis' } }] })
  }
  return {
    jobs,
    fillRedis:
      client &&
      (async () => {
        for (let key = 0; key < 400; key += 1)
          await client.set(`filling:${key}`, randomBytes(50_000))
      }),
    async emptyRedis() {
      await client?.flushall()
    },
    async renewCertificate() {
      site.setSecureContext(await certificate(90))
    },
    async [Symbol.asyncDispose]() {
      client?.disconnect()
      const ended = children.map((child) => once(child, 'exit'))
      for (const child of children) child.kill('SIGKILL')
      await Promise.all(ended)
      await redis?.stop()
      site.close().closeAllConnections()
    },
  }
}

async function certificate(days: number): Promise<{ cert: string; key: string }> {
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    notAfterDate: new Date(Date.now() + days * DAY_MS),
  })
  return { cert, key }
}
