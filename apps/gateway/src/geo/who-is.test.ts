/* oxlint-disable no-empty-pattern -- vitest reads what a fixture needs from this very pattern */
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createBus } from '@repo/cache-broadcast'
import { createMemoryBus } from '@repo/cache-broadcast/memory'
import { createLog, type Log } from '@repo/observability'
import { connectRedis } from '@repo/redis'
import { test as base, expect, until } from '@repo/testing'
import { geoDatabase } from './geo-file.fixture.ts'
import { readGeoFile } from './geo-file.ts'
import { createWhoIs } from './who-is.ts'

const metrics = { observe: () => () => undefined }
const networks = {
  '192.0.2.0/24': 'DE',
  '198.51.100.0/25': 'FR',
  '2001:db8:1::/48': 'JP',
  '2001:db8:2::/64': 'BR',
}

const test = base.extend('directory', async ({}, { onCleanup }) => {
  const directory = await mkdtemp(join(tmpdir(), 'threefold-geo-'))
  onCleanup(() => rm(directory, { recursive: true }))
  return directory
})

function captureLog(): { log: Log; lines: string[] } {
  const lines: string[] = []
  const destination = { write: (line: string) => void lines.push(line) }
  const log = createLog({ app: 'gateway', instance: 'g', version: '', level: 'info', destination })
  return { log, lines }
}

async function replaceFile(path: string, content: Buffer): Promise<void> {
  await writeFile(`${path}.new`, content)
  await rename(`${path}.new`, path)
}

test('the country of an address is found for IPv4 and IPv6, and is unknown outside of all networks', async ({
  directory,
}) => {
  const path = join(directory, 'countries.mmdb')
  await writeFile(path, geoDatabase(networks))
  const whoIs = await createWhoIs({ path, bus: createMemoryBus(), metrics, log: captureLog().log })
  const expected = {
    '192.0.2.1': 'DE',
    '192.0.2.255': 'DE',
    '198.51.100.127': 'FR',
    '198.51.100.128': undefined,
    '2001:db8:1:ffff::1': 'JP',
    '2001:db8:2::abcd': 'BR',
    '2001:db8:3::1': undefined,
    '10.0.0.1': undefined,
    unknown: undefined,
  }
  for (const [ip, country] of Object.entries(expected)) {
    const first = whoIs.countryOf(ip)
    expect(first).toBeInstanceOf(Promise)
    expect({ ip, country: await first }).toEqual({ ip, country })
    // The second answer is in memory.
    if (ip !== 'unknown') expect({ ip, country: whoIs.countryOf(ip) }).toEqual({ ip, country })
  }
  // Another address of the same network has the same entry.
  expect(whoIs.countryOf('2001:db8:2::1')).toBe('BR')
  whoIs.close()
})

test('a missing file and every truncated or damaged file is a fault that names the setting and the file', async ({
  directory,
}) => {
  const path = join(directory, 'countries.mmdb')
  const whole = geoDatabase(networks)
  const faulty = [
    Buffer.alloc(0),
    Buffer.from('not a database'),
    whole.subarray(0, whole.length >> 1),
    whole.subarray(whole.length - 200),
    geoDatabase(networks, 'GeoLite2-ASN'),
  ]
  await expect(readGeoFile(path)).rejects.toThrow(`GEO_FILE: ${path} is no readable database`)
  for (const content of faulty) {
    await writeFile(path, content)
    await expect(readGeoFile(path)).rejects.toThrow(`GEO_FILE: ${path} is no readable database`)
  }
  await writeFile(path, whole)
  expect((await readGeoFile(path))('192.0.2.1')).toBe('DE')
})

test('a changed file ends the cached answers of every instance, and a damaged one is a warning', async ({
  directory,
  redisUrl,
}) => {
  const open = async (instance: string) => {
    const path = join(directory, `${instance}.mmdb`)
    await writeFile(path, geoDatabase(networks))
    const { log, lines } = captureLog()
    const redis = connectRedis({ url: redisUrl, name: instance, log })
    const bus = createBus({ redis, name: 'platform', instance, log })
    await bus.ready()
    const whoIs = await createWhoIs({ path, bus, metrics, log, watchMs: 20 })
    return {
      path,
      lines,
      whoIs,
      async [Symbol.asyncDispose]() {
        whoIs.close()
        await bus.close()
        await redis.close()
      },
    }
  }
  await using one = await open('one')
  await using two = await open('two')
  const both = [one, two]
  for (const { whoIs } of both) expect(await whoIs.countryOf('192.0.2.1')).toBe('DE')

  await replaceFile(one.path, geoDatabase({ ...networks, '192.0.2.0/24': 'AT' }))
  await until(() => one.lines.some((line) => line.includes('geo.changed')))
  await until(async () => (await one.whoIs.countryOf('192.0.2.1')) === 'AT')
  // The other instance has the old file, and the answer of the cache.
  await until(async () => (await two.whoIs.countryOf('192.0.2.1')) === 'AT')

  await replaceFile(two.path, Buffer.from('damaged'))
  await until(() => two.lines.some((line) => line.includes('geo.invalid')))
  expect(await two.whoIs.countryOf('198.51.100.1')).toBe('FR')
})
