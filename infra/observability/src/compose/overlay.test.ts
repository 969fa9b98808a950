import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@repo/testing'
import { parse } from 'yaml'
import { z } from 'zod'

const COMPOSE = join(import.meta.dirname, '../../../compose')
const FOLDER = join(import.meta.dirname, '../..')

const overlay = z.object({
  services: z.record(
    z.string(),
    z.object({
      image: z.string().optional(),
      read_only: z.boolean().optional(),
      cap_drop: z.array(z.string()).default([]),
      mem_limit: z.string().optional(),
      pids_limit: z.number().optional(),
      ports: z.array(z.string()).default([]),
      networks: z.array(z.string()).default([]),
      volumes: z.array(z.string()).default([]),
      environment: z.record(z.string(), z.string()).default({}),
    }),
  ),
})

const read = (file: string) => readFileSync(join(FOLDER, file), 'utf8')
const text = readFileSync(join(COMPOSE, 'compose.observability.yaml'), 'utf8')
const { services } = overlay.parse(parse(text, { merge: true }))
const added = Object.entries(services).filter(([, { image }]) => image !== undefined)

describe('each service of the observability overlay', () => {
  test.for(added)(
    '%s has a pinned image, limits, no capabilities and a read-only root',
    ([, service]) => {
      expect(service.image).toMatch(/^[\w./-]+:v?\d+\.\d+\.\d+(-alpine)?$/)
      expect(service).toMatchObject({ read_only: true, cap_drop: ['ALL'] })
      expect(service.mem_limit).toMatch(/^\d+[mg]$/)
      expect(service.pids_limit).toBeGreaterThan(0)
    },
  )

  test.for(added)('%s publishes ports on the loopback address only', ([, { ports }]) => {
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/)
  })

  test.for(added)('%s mounts files of this repository that exist', ([, { volumes }]) => {
    const files = volumes
      .map((volume) => volume.split(':')[0] ?? '')
      .filter((path) => path.startsWith('..'))
    for (const file of files) expect([file, existsSync(join(COMPOSE, file))]).toEqual([file, true])
  })
})

test('only the exporters are in the networks of the stores', () => {
  const inStores = added.filter(([, { networks }]) =>
    networks.some((name) => /cache|database|pool/.test(name)),
  )
  expect(inStores.map(([name]) => name)).toEqual(['redis-exporter', 'postgres-exporter'])
})

test('every app sends its spans to the collector', () => {
  const apps = Object.entries(services).filter(([, { image }]) => image === undefined)
  expect(apps.length).toBeGreaterThanOrEqual(4)
  for (const [, { environment }] of apps) {
    expect(environment).toEqual({
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318',
      TRACE_SAMPLE_RATE: '${TRACE_SAMPLE_RATE:-1}',
    })
  }
})

test('the labels in Loki are app, instance and level, so ids make no streams', () => {
  const collector = read('config.alloy')
  expect(/stage\.label_keep \{\s*values = (\[.*\])/.exec(collector)?.[1]).toBe(
    '["app", "instance", "level"]',
  )
  expect(parse(read('loki.yaml')).limits_config).toMatchObject({
    max_label_names_per_series: 3,
    discover_service_name: [],
    discover_log_levels: false,
  })
})

test('each host in the configuration is a service of the overlay or of the stack', () => {
  const stack: { services: Record<string, unknown> } = parse(
    readFileSync(join(COMPOSE, 'compose.yaml'), 'utf8'),
    { merge: true },
  )
  const names = new Set([...Object.keys(services), ...Object.keys(stack.services)])
  const files = [
    'prometheus.yml',
    'config.alloy',
    'grafana/provisioning/datasources/threefold.yaml',
  ]
  const hosts = files.flatMap((file) =>
    [...read(file).matchAll(/(?<=['"/ ])([a-z][a-z-]*):\d{4}\b/g)].map(([, host = '']) => host),
  )
  expect(hosts.length).toBeGreaterThan(10)
  expect(hosts.filter((host) => !names.has(host))).toEqual([])
})

test('Grafana has the dashboard and its sources by the names that the dashboard uses', () => {
  const sources = parse(read('grafana/provisioning/datasources/threefold.yaml')).datasources
  const used = new Set(
    read('grafana/dashboards/threefold.json').match(/(?<="uid": ")prometheus(?=")/g),
  )
  expect([...used]).toEqual(['prometheus'])
  expect(sources.map(({ uid }: { uid: string }) => uid)).toEqual(['prometheus', 'loki', 'tempo'])
})
