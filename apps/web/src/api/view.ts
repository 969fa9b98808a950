import { headers } from 'next/headers'
import * as api from './api.ts'
import { instanceHeader } from './headers.ts'
import type { RequestPath, View } from './view-schema.ts'

/** The web instance that is rendering right now. */
export async function servedBy() {
  return (await headers()).get(instanceHeader) ?? 'web-1'
}

/** The way this request took: edge, then one of the instances of each app. */
export async function readWay(): Promise<RequestPath> {
  const [web, ping] = await Promise.all([servedBy(), api.ping()])
  const of = (app: string) => ping.servedBy.find((id) => id.startsWith(`${app}-`)) ?? null
  return { web, gateway: of('gateway'), auth: of('auth') }
}

export async function readView(): Promise<View> {
  const [way, me] = await Promise.all([readWay(), api.me()])
  return { id: crypto.randomUUID(), way, cluster: await readCluster(me.outcome === 'ok') }
}

async function readCluster(signedIn: boolean): Promise<View['cluster']> {
  if (!signedIn) return { outcome: 'signed-out' }
  const answer = await api.cluster()
  if (answer.outcome === 'ok') return { outcome: 'ok', instances: answer.value.instances }
  return { outcome: answer.outcome === 'invalid' ? 'unavailable' : answer.outcome }
}
