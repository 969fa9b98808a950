import { setTimeout as wait } from 'node:timers/promises'
import type { Cluster } from '../cluster.ts'
import { type Client, createClient, type Sample, type Spec, startLoop } from '../load.ts'
import { payment, signUp } from '../person.ts'
import { progress, type Row } from '../report.ts'

const ADDRESS = '127.0.0.3'
const RATE = 60
const APPS = ['auth', 'gateway', 'payments', 'web']

export interface ClusterScenario {
  cluster: Cluster
  /** Each scenario has a default. */
  rounds?: number | undefined
}

/** Safe requests to every app, and every fourth request a payment. */
function mix(cookie: string, run: string): (n: number) => Spec {
  const safe: Spec[] = [
    { path: '/api/payments', headers: { cookie } },
    { path: '/api/auth/get-session', headers: { cookie } },
    { path: '/sign-in' },
  ]
  return (n) =>
    n % 4 === 3 ? payment(cookie, `${run}-${n}`) : (safe[n % 4] ?? { path: '/api/me' })
}

/** A safe request without a response, or with a failure as its response. */
function isLost({ method, status, hadHead }: Sample): boolean {
  return method === 'GET' && (status >= 500 || (status === 0 && !hadHead))
}

/** References that appear twice among the newest payments. */
async function doubled(client: Client, cookie: string): Promise<number> {
  const { body, status } = await client.send({ path: '/api/payments', headers: { cookie } })
  if (status !== 200) throw new Error(`the payments cannot be read: ${status}`)
  const references = [...body.matchAll(/"reference":"([^"]+)"/g)].map(([, text]) => text)
  return references.length - new Set(references).size
}

function kills(signal: 'SIGKILL' | 'SIGTERM', name: string) {
  return async ({ cluster, rounds = 30 }: ClusterScenario): Promise<Row[]> => {
    const client = createClient(cluster.edge, ADDRESS)
    const rows: Row[] = []
    let twice = 0
    for (const app of APPS) {
      let lost = 0
      for (let round = 0; round < rounds; round += 1) {
        const instances = cluster.instances(app)
        const victim = instances[round % instances.length]
        if (!victim) throw new Error(`the cluster has no ${app}`)
        // A user for each round: the list has the newest 100 payments.
        const cookie = await signUp(cluster)
        const specOf = mix(cookie, `${app}-${round}`)
        const loop = startLoop(client, RATE, specOf)
        await wait(500)
        process.kill(victim.pid, signal)
        await cluster.whenBack(victim)
        await wait(500)
        const samples = await loop.stop()
        const found = samples.filter(isLost).length
        if (found > 0) progress(`  ${app}, round ${round + 1}: ${found} safe requests lost`)
        lost += found
        twice += await doubled(client, cookie)
      }
      const figure = `${app}: safe requests lost in ${rounds} rounds`
      rows.push({ scenario: name, figure, measured: lost, comparison: '<=', target: 0 })
    }
    client.close()
    const figure = 'payments made twice'
    return [...rows, { scenario: name, figure, measured: twice, comparison: '<=', target: 0 }]
  }
}

export const killScenarios = {
  'kill-9': kills('SIGKILL', 'kill-9'),
  sigterm: kills('SIGTERM', 'sigterm'),
}
