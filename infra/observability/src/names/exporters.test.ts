import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:https'
import { join } from 'node:path'
import { createAuthority, expect, freePort, test, until } from '@repo/testing'
import { readScrape } from '../metrics/table.ts'
import { findTools, type Package } from '../prometheus/tools.ts'
import { readExporters } from './exporters.ts'

const exporters = readExporters()
const tools = await findTools(...exporters.map((each): Package => each.package))
const BLACKBOX = join(import.meta.dirname, '../../blackbox.yml')

/** Runs an exporter and returns its first complete scrape. */
async function scrape(
  program: Package,
  options: { args?: string[]; env?: Record<string, string>; path?: string; until: string },
): Promise<string> {
  const port = await freePort()
  const args = [`--web.listen-address=127.0.0.1:${port}`, ...(options.args ?? [])]
  const child: ChildProcess = spawn(join(tools ?? '', program), args, {
    env: { ...process.env, ...options.env },
    stdio: 'ignore',
  })
  try {
    let text = ''
    await until(async () => {
      const url = `http://127.0.0.1:${port}${options.path ?? '/metrics'}`
      text = await fetch(url).then(
        (response) => response.text(),
        () => '',
      )
      return text.includes(`\n${options.until}`)
    })
    return text
  } finally {
    const ended = once(child, 'exit')
    child.kill()
    await ended
  }
}

function expectMetrics(name: Package, text: string): void {
  const scraped = readScrape(text).metrics
  const { metrics = {} } = exporters.find((each) => each.package === name) ?? {}
  expect(Object.keys(metrics).length).toBeGreaterThan(0)
  for (const [metric, labels] of Object.entries(metrics)) {
    const names = scraped.get(metric)?.labels ?? []
    expect([metric, scraped.has(metric), names]).toEqual([
      metric,
      true,
      expect.arrayContaining(labels),
    ])
  }
}

test.skipIf(!tools)(
  'the exporter of Redis has the metrics of exporters.json',
  async ({ redisUrl }) => {
    const name = 'prometheus-redis-exporter'
    const options = { args: [`--redis.addr=${redisUrl}`], until: 'redis_evicted_keys_total' }
    expectMetrics(name, await scrape(name, options))
  },
)

test.skipIf(!tools)(
  'the exporter of PostgreSQL has the metrics of exporters.json',
  async ({ databaseUrl }) => {
    const name = 'prometheus-postgres-exporter'
    const env = { DATA_SOURCE_NAME: `${databaseUrl}?sslmode=disable` }
    expectMetrics(name, await scrape(name, { env, until: 'pg_stat_database_numbackends' }))
  },
)

test.skipIf(!tools)('the exporter that probes the edge has the end of a certificate', async () => {
  await using authority = await createAuthority()
  const { cert, key } = await authority.issue('localhost')
  const server = createServer({ cert, key }, (_, res) => void res.end('ready')).listen(
    0,
    '127.0.0.1',
  )
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  const name = 'prometheus-blackbox-exporter'
  const target = encodeURIComponent(`https://127.0.0.1:${address.port}/`)
  const text = await scrape(name, {
    args: [`--config.file=${BLACKBOX}`],
    path: `/probe?module=certificate&target=${target}`,
    until: 'probe_ssl_earliest_cert_expiry',
  })
  expectMetrics(name, text)
  server.close()
})
