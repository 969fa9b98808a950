import { dirname, join } from 'node:path'
import { copyMutant, type Edit, expect, test } from '@repo/testing'
import type * as Module from './identity.ts'

const ada = { userId: 'u1', email: 'ada@x.test', role: 'user', sessionId: 's1' }
const options = { secret: 'a secret of the whole cluster, 32+', upstream: 'payments' }
const request = {
  method: 'POST',
  target: '/api/payments',
  requestId: 'request-1',
  clientIp: '192.0.2.1',
}

/** Returns the attacks with a captured request that a verification accepts. */
function findAccepted({ createIdentities }: typeof Module): string[] {
  let nowMs = 1_000_000
  const upstream = createIdentities({ ...options, now: () => nowMs })
  const raw: string[] = []
  upstream.sign(raw, ada, request, 'the claim of a body')
  const [name = '', value = '', formerName = '', former = ''] = raw
  const headers: Record<string, string | undefined> = {
    [name]: value,
    [formerName]: former,
    'x-request-id': request.requestId,
    'x-client-ip': request.clientIp,
  }
  const isAccepted = (changes: Record<string, string | undefined>, by = upstream) => {
    const { method = 'POST', target = request.target, ...changed } = changes
    const received = { ...headers, ...changed }
    return by.verify({ method, target, header: (each) => received[each] }).outcome === 'valid'
  }
  expect(isAccepted({})).toBe(true)
  const attacks: Record<string, () => boolean> = {
    method: () => isAccepted({ method: 'PUT' }),
    target: () => isAccepted({ target: '/api/payments/1' }),
    'request id': () => isAccepted({ 'x-request-id': 'request-2' }),
    'client address': () => isAccepted({ 'x-client-ip': '192.0.2.2' }),
    upstream: () =>
      isAccepted({}, createIdentities({ ...options, upstream: 'auth', now: () => nowMs })),
    'version 1 alone': () => isAccepted({ [name]: undefined }),
    'version 1 beside a forged version 2': () => isAccepted({ [name]: `${value} ` }),
    'old identity': () => {
      nowMs += 15_001
      return isAccepted({})
    },
  }
  return Object.keys(attacks).filter((attack) => attacks[attack]?.())
}

const mutants: [accepts: string, ...edits: Edit[]][] = [
  ['method', ['version-2.ts', '${method.length}:${method}', 'x']],
  ['target', ['version-2.ts', '${target.length}:${target}', 'x']],
  ['request id', ['version-2.ts', '${requestId.length}:${requestId}', 'x']],
  ['client address', ['version-2.ts', '${clientIp.length}:${clientIp}', 'x']],
  [
    'upstream',
    ['version-2.ts', 'threefold-identity-2:${upstream}', ''],
    ['version-2.ts', 'threefold identity to ${upstream}', ''],
  ],
  ['version 1 alone', ['identity.ts', 'if (check.withVersion2)', 'if (false)']],
  ['old identity', ['version-2.ts', 'if (!isFresh)', 'if (false)']],
]

test('no attack with a captured request is accepted', async () => {
  expect(findAccepted(await import('./identity.ts'))).toEqual([])
})

test.for(mutants)(
  'the attacks detect a verification without the check of the %s',
  async ([accepts, ...edits]) => {
    const mutant = await copyMutant(import.meta.dirname, `identity ${accepts}`, edits)
    try {
      const file = join(dirname(mutant.source), 'identity.ts')
      const module: typeof Module = await import(/* @vite-ignore */ file)
      expect(findAccepted(module)).toContain(accepts)
    } finally {
      await mutant.remove()
    }
  },
)
