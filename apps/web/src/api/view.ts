import { headers } from 'next/headers'
import * as api from './api.ts'
import { instanceHeader } from './headers.ts'
import type { RequestPath, View } from './view-schema.ts'

/** The web instance that renders this request. */
export async function servedBy() {
  return (await headers()).get(instanceHeader) ?? 'web-1'
}

/** The path of this request after the edge: one instance of each app. */
export async function readRequestPath(): Promise<RequestPath> {
  const [web, ping] = await Promise.all([servedBy(), api.ping()])
  const instanceOf = (app: string) => ping.servedBy.find((id) => id.startsWith(`${app}-`)) ?? null
  return { web, gateway: instanceOf('gateway'), auth: instanceOf('auth') }
}

export async function readView(): Promise<View> {
  const [way, me] = await Promise.all([readRequestPath(), api.me()])
  return { id: crypto.randomUUID(), way, cluster: await readCluster(me.outcome === 'ok') }
}

async function readCluster(isSignedIn: boolean): Promise<View['cluster']> {
  if (!isSignedIn) return { outcome: 'signed-out' }
  const answer = await api.cluster()
  if (answer.outcome === 'ok') return { outcome: 'ok', instances: answer.value.instances }
  return { outcome: answer.outcome === 'invalid' ? 'unavailable' : answer.outcome }
}
