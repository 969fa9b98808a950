import { createHmac, randomBytes } from 'node:crypto'
import { expect, test } from '@repo/testing'
import { createIdentities, type ReceivedRequest } from './identity.ts'
import { createVersion1 } from './version-1.ts'
import { claimOf, NO_BODY, STREAMED_BODY } from './version-2.ts'

const secret = 'a secret of the whole cluster, 32+'
const ada = { userId: 'u1', email: 'ada@x.test', role: 'user', sessionId: 's1' }
const request = {
  method: 'POST',
  target: '/api/payments?page=2',
  requestId: 'request-1',
  clientIp: '192.0.2.1',
}
const path = request.target
const body = claimOf(Buffer.from('{"amount":1}'))
const atMs = 1_000_000_000_000

const options = { secret, upstream: 'payments', now: () => atMs }
const identities = createIdentities(options)

/** The headers that the gateway sends, by name. */
function sign(by = identities, claim = body, caller: typeof ada = ada): Record<string, string> {
  const headers: string[] = []
  by.sign(headers, caller, request, claim)
  const names = headers.filter((_, at) => at % 2 === 0)
  const signed = Object.fromEntries(names.map((name, at) => [name, headers[at * 2 + 1] ?? '']))
  return { 'x-request-id': request.requestId, 'x-client-ip': request.clientIp, ...signed }
}

function received(headers: Record<string, string>, changes: Partial<ReceivedRequest> = {}) {
  const { method, target } = request
  return { method, target, header: (name: string) => headers[name], ...changes }
}

/** Removes a header, as an attacker does with a captured request. */
function without(headers: Record<string, string>, name: string): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([each]) => each !== name))
}

test('an identity is valid for the request for which it is signed, with the claim of its body', () => {
  for (const claim of [body, NO_BODY, STREAMED_BODY]) {
    const check = identities.verify(received(sign(identities, claim)))
    expect(check).toEqual({ outcome: 'valid', identity: ada, body: claim })
  }
})

test.for([
  { ...ada, actor: { id: 'u2', name: 'Grace' } },
  { ...ada, key: { id: 'k1', scopes: ['payments:read', 'é'] } },
  { ...ada, email: 'ädä@x.test', actor: { id: 'u2', name: '格蕾丝 "G", [\\]' } },
  { userId: '', email: '', role: '', sessionId: '' },
  { ...ada, email: `${'x'.repeat(253)}…` },
])('an identity carries each character of the caller: %j', (caller) => {
  const headers = sign(identities, body, caller)
  expect(headers['x-identity-2']).toMatch(/^[\x21-\x7e][\x20-\x7e]*[\x21-\x7e]$/)
  expect(identities.verify(received(headers))).toMatchObject({ identity: caller })
})

const captured = sign()
const changes: [name: string, changed: ReceivedRequest][] = [
  ['method', received(captured, { method: 'PUT' })],
  ['target', received(captured, { target: '/api/payments?page=3' })],
  ['query', received(captured, { target: '/api/payments' })],
  ['spelling of the target', received(captured, { target: '/api/p%61yments?page=2' })],
  ['request id', received({ ...captured, 'x-request-id': 'request-2' })],
  ['missing request id', received(without(captured, 'x-request-id'))],
  ['client address', received({ ...captured, 'x-client-ip': '192.0.2.2' })],
  ['missing client address', received(without(captured, 'x-client-ip'))],
  [
    'boundary between method and target',
    received(captured, { method: 'POST:20:/api', target: '/payments?page=2' }),
  ],
  [
    'second identity',
    received({
      ...captured,
      'x-identity-2': `${captured['x-identity-2']}, ${captured['x-identity-2']}`,
    }),
  ],
]

test.for(changes)('a captured identity is forged with another %s', ([, changed]) => {
  expect(identities.verify(received(captured)).outcome).toBe('valid')
  expect(identities.verify(changed)).toEqual({ outcome: 'forged' })
})

test('an identity for one upstream is forged at every other one, although they share the secret', () => {
  for (const upstream of ['auth', 'payment', 'payments2', '']) {
    const other = createIdentities({ ...options, upstream })
    expect(other.verify(received(captured))).toEqual({ outcome: 'forged' })
  }
})

test('an identity is forged after a change of any character', () => {
  const header = captured['x-identity-2'] ?? ''
  for (let at = 0; at < header.length; at += 1) {
    const changed = header[at] === 'A' ? 'B' : 'A'
    const tampered = `${header.slice(0, at)}${changed}${header.slice(at + 1)}`
    const check = identities.verify(received({ ...captured, 'x-identity-2': tampered }))
    expect(check).toEqual({ outcome: 'forged' })
  }
})

test('an identity is signed with the current secret, and valid under each accepted secret', () => {
  const next = `${secret}!`
  const overlapping = createIdentities({ ...options, secret: next, acceptedSecrets: [secret] })
  expect(overlapping.verify(received(captured)).outcome).toBe('valid')
  const renewed = received(sign(overlapping))
  expect(identities.verify(renewed)).toEqual({ outcome: 'forged' })
  expect(createIdentities({ ...options, secret: next }).verify(renewed).outcome).toBe('valid')
})

test.for([-10_000, 0, 5_000, 15_000])('an identity is valid %i ms after it was signed', (ms) => {
  const upstream = createIdentities({ ...options, now: () => atMs + ms })
  expect(upstream.verify(received(captured)).outcome).toBe('valid')
})

test.for([-10_001, 15_001, 60_000])('an identity has expired %i ms after it was signed', (ms) => {
  const upstream = createIdentities({ ...options, now: () => atMs + ms })
  expect(upstream.verify(received(captured))).toEqual({ outcome: 'expired' })
})

test('verify never throws: text that the cluster did not sign is forged', () => {
  const header = captured['x-identity-2'] ?? ''
  const garbage = [
    '',
    '.',
    '...',
    header.slice(0, 43),
    header.slice(0, 44),
    `${'A'.repeat(43)}.`,
    `${'€'.repeat(43)}.€.€.€`,
    `${'\u0000'.repeat(43)}.`,
    randomBytes(2_000_000).toString('base64url'),
    `${header.slice(0, 43)}.${'9'.repeat(5_000_000)}`,
  ]
  for (const each of garbage) {
    const check = identities.verify(received({ ...captured, 'x-identity-2': each }))
    expect(check).toEqual({ outcome: 'forged' })
  }
})

test('a request without an identity has none, and garbage in version 2 is not replaced by version 1', () => {
  expect(identities.verify(received({}))).toEqual({ outcome: 'missing' })
  const former = createVersion1(options).sign(ada, { method: 'POST', path })
  const both = { ...captured, 'x-identity': former, 'x-identity-2': 'garbage' }
  expect(identities.verify(received(both))).toEqual({ outcome: 'forged' })
})

test('the release before verifies what this release sends', () => {
  // The verification of commit db717dd.
  const [payload = '', given] = (captured['x-identity'] ?? '').split('.')
  const text = `${payload}\n${request.method}\n${path}`
  expect(createHmac('sha256', secret).update(text).digest('base64url')).toBe(given)
  expect(JSON.parse(Buffer.from(payload, 'base64url').toString())).toMatchObject({
    identity: ada,
    issuedAtMs: atMs,
  })
})

test('this release verifies what the release before sends, until version 1 is refused', () => {
  // The form of commit db717dd.
  const text = `{"identity":{"userId":"u1","email":"ada@x.test","role":"user","sessionId":"s1"},"issuedAtMs":${atMs}}`
  const payload = Buffer.from(text).toString('base64url')
  const mac = createHmac('sha256', secret).update(`${payload}\nPOST\n${path}`).digest('base64url')
  const headers = { 'x-identity': `${payload}.${mac}` }
  const check = identities.verify(received(headers))
  expect(check).toEqual({ outcome: 'valid', identity: ada, body: STREAMED_BODY })
  const strict = createIdentities({ ...options, version1: 'refuse' })
  expect(strict.verify(received(headers))).toEqual({ outcome: 'forged' })
  expect(sign(strict)).not.toHaveProperty('x-identity')
  expect(strict.verify(received(captured)).outcome).toBe('valid')
})

test('version 1 of a gateway that sends both versions is forged alone, and valid in the release before', () => {
  const downgraded = without(captured, 'x-identity-2')
  expect(identities.verify(received(downgraded))).toEqual({ outcome: 'forged' })
  const before = createVersion1(options)
  const header = downgraded['x-identity']
  expect(before.verify(header, { method: 'POST', path }).outcome).toBe('valid')
})
