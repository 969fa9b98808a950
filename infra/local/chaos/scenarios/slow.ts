import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import type { Chain } from '../chain.ts'
import { createClient, startLoop } from '../load.ts'
import { median, percentile, type Row } from '../report.ts'

const SLOW_ADDRESS = '127.0.0.2'
const OTHERS = '127.0.0.3'
const RATE = 100
const MEASURED_MS = 4_000
const SETTLE_MS = 2_000
const MAX_RATIO = 1.5

export interface ChainScenario {
  chain: Chain
  rounds: number
}

const HEAD = 'POST /api/auth/slow HTTP/1.1\r\nHost: a\r\nOrigin: http://localhost:9380\r\n'

/** Opens connections that write these bytes, and then one more byte each second. */
function openSlow(edge: string, count: number, bytes: string, next: string): Socket[] {
  return Array.from({ length: count }, () => {
    const socket = connect({
      port: Number(new URL(edge).port),
      host: '127.0.0.1',
      localAddress: SLOW_ADDRESS,
    })
    socket.on('error', () => socket.destroy())
    socket.on('connect', () => socket.write(bytes))
    if (next !== '') {
      const timer = setInterval(() => socket.write(next), 1_000)
      socket.on('close', () => clearInterval(timer))
      socket.resume()
    }
    return socket
  })
}

async function p99Of(chain: Chain): Promise<{ p99: number; failed: number }> {
  const client = createClient(chain.edge, OTHERS)
  const loop = startLoop(client, RATE, () => ({ path: '/api/auth/quick' }))
  await wait(MEASURED_MS)
  const samples = await loop.stop()
  client.close()
  return {
    p99: percentile(
      samples.map(({ ms }) => ms),
      0.99,
    ),
    failed: samples.filter(({ status }) => status !== 200).length,
  }
}

/** The p99 of others beside slow clients, as a ratio to their p99 without; rounds take turns. */
function beside(scenario: string, open: (edge: string) => Socket[]) {
  return async ({ chain, rounds }: ChainScenario): Promise<Row[]> => {
    const ratios: number[] = []
    let failed = 0
    await p99Of(chain)
    for (let round = 0; round < rounds; round += 1) {
      const without = await p99Of(chain)
      const sockets = open(chain.edge)
      await wait(SETTLE_MS)
      const during = await p99Of(chain)
      for (const socket of sockets) socket.destroy()
      await wait(500)
      ratios.push(during.p99 / without.p99)
      failed += during.failed
    }
    const row = { scenario, comparison: '<=' } as const
    return [
      { ...row, figure: "others' p99, ratio", measured: median(ratios), target: MAX_RATIO },
      { ...row, figure: "others' failures", measured: failed, target: 0 },
    ]
  }
}

function openSlowReader(edge: string): Socket[] {
  const request = 'GET /api/auth/big HTTP/1.1\r\nHost: a\r\n\r\n'
  return openSlow(edge, 1, request, '').map((socket) => {
    socket.pause()
    const timer = setInterval(() => socket.read(65_536), 1_000)
    socket.on('close', () => clearInterval(timer))
    return socket
  })
}

export function memoryMiB(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status)?.[1]) / 1_024
}

/** 50 bodies of 1 MB at once. The first time compiles the code and grows the heap. */
async function largeBodies({ chain, rounds }: ChainScenario): Promise<Row[]> {
  const body = Buffer.alloc(1_000_000, 'a')
  const headers = { origin: 'http://localhost:9380', 'content-type': 'text/plain' }
  const spec = { method: 'POST', path: '/api/auth/large', headers, body }
  const growth: number[] = []
  let failed = 0
  for (let round = 0; round <= rounds; round += 1) {
    const client = createClient(chain.edge, OTHERS)
    const before = chain.pids.map((pid) => memoryMiB(pid, 'VmRSS'))
    const peaks = [...before]
    const timer = setInterval(() => {
      chain.pids.forEach((pid, i) => {
        peaks[i] = Math.max(peaks[i] ?? 0, memoryMiB(pid, 'VmRSS'))
      })
    }, 5)
    const samples = await Promise.all(Array.from({ length: 50 }, () => client.send(spec)))
    clearInterval(timer)
    client.close()
    failed += samples.filter(({ status }) => status !== 200).length
    if (round > 0) growth.push(Math.max(...peaks.map((peak, i) => peak - (before[i] ?? 0))))
  }
  const row = { scenario: 'large-bodies', comparison: '<=' } as const
  return [
    { ...row, figure: 'growth of RSS, MiB, largest process', measured: median(growth), target: 32 },
    { ...row, figure: 'failures', measured: failed, target: 0 },
  ]
}

export const slowScenarios = {
  'slow-bodies': beside('slow-bodies', (edge) =>
    openSlow(edge, 250, `${HEAD}Content-Length: 100000\r\n\r\n`, 'a'),
  ),
  'slow-heads': beside('slow-heads', (edge) => openSlow(edge, 250, `${HEAD}X-A: `, 'a')),
  'event-streams': beside('event-streams', (edge) =>
    openSlow(edge, 100, 'GET /api/auth/stream HTTP/1.1\r\nHost: a\r\n\r\n', '').map((socket) =>
      socket.resume(),
    ),
  ),
  'slow-reader': beside('slow-reader', openSlowReader),
  'large-bodies': largeBodies,
}
