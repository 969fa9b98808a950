import type { PolicyInput } from '../src/index.ts'

/** A quota that no run reaches. */
export const QUOTA = 16_000_000
export const WINDOW_MS = 60_000

const DIMENSIONS = ['ip', 'user', 'client', 'route'] as const
export const NAMES = DIMENSIONS.map((dimension) => `api-${dimension}`)

const WORKLOADS = ['four', 'one', 'hot', 'blocked'] as const
/** Four dimensions; one of 10,000 users; one user; a user who is refused. */
export type Workload = (typeof WORKLOADS)[number]

export function workloadOf(text: string): Workload {
  const found = WORKLOADS.find((workload) => workload === text)
  if (!found) throw new Error(`WORKLOAD must be one of ${WORKLOADS.join()}, and is "${text}"`)
  return found
}

export const policies: PolicyInput[] = [
  ...DIMENSIONS.map((by) => ({ name: `api-${by}`, quota: QUOTA, windowMs: WINDOW_MS, by })),
  {
    name: 'leased',
    quota: QUOTA,
    windowMs: WINDOW_MS,
    by: 'user',
    lease: { units: 1_000, ms: 100 },
  },
  { name: 'block', quota: 1, windowMs: 600_000, by: 'user' },
]

const idOf = (i: number, ids: number) => `user-${String(i % ids).padStart(27, '0')}`

/** The identities of request number `i`. */
export function dimensionsOf(workload: Workload, i: number): Record<string, string> {
  if (workload === 'blocked') return { user: 'blocked' }
  if (workload === 'hot') return { user: idOf(0, 1) }
  if (workload === 'one') return { user: idOf(i * 7, 10_000) }
  return {
    ip: `192.0.${(i >> 8) % 40}.${i & 255}`,
    user: idOf(i * 7, 10_000),
    client: idOf(i, 100),
    route: `GET /api/r${i % 10}`,
  }
}
