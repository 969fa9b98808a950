import { request } from 'node:http'
import { buffer } from 'node:stream/consumers'
import type { ProxyOptions } from '../settings.ts'
import type { CollectedResponse, HoldDecision, WholeResponse } from './hold.ts'

export interface Claims {
  options: Partial<ProxyOptions<void>>
  /** The events in their order: `begin`, `complete`, `release`. */
  events: string[]
  /** The bodies of the requests that were decided. */
  bodies: Buffer[]
  completed: CollectedResponse[]
}

interface ClaimsOptions extends Partial<ProxyOptions<void>> {
  maxResponseBytes?: number
  /** Decides instead of a claim. */
  begin?: () => Promise<HoldDecision | undefined>
  complete?: (response: CollectedResponse) => Promise<WholeResponse | undefined>
  release?: () => Promise<void>
}

/** Options of a proxy that claims each request, and stores what its hooks receive. */
export function claiming({
  maxResponseBytes = 1_000,
  begin = async () => undefined,
  complete = async () => undefined,
  release = async () => undefined,
  ...options
}: ClaimsOptions = {}): Claims {
  const events: string[] = []
  const bodies: Buffer[] = []
  const completed: CollectedResponse[] = []
  const claim = {
    maxResponseBytes,
    async complete(response: CollectedResponse) {
      events.push('complete')
      completed.push({ ...response, headers: [...response.headers] })
      return complete(response)
    },
    async release() {
      events.push('release')
      return release()
    },
  }
  const hold = () => ({
    async begin(body: Buffer): Promise<HoldDecision> {
      events.push('begin')
      bodies.push(Buffer.from(body))
      return (await begin()) ?? { outcome: 'claimed', claim }
    },
  })
  return { options: { ...options, hold }, events, bodies, completed }
}

/** Sends a POST, and returns its response with the bytes of its body. */
export function post(
  origin: string,
  body: Buffer | string = 'x',
): Promise<{ status: number; headers: Record<string, unknown>; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const req = request(origin, { method: 'POST', agent: false }, (res) => {
      const { statusCode: status = 0, headers } = res
      buffer(res).then((read) => resolve({ status, headers, body: read }), reject)
    })
    req.on('error', reject)
    req.end(body)
  })
}
