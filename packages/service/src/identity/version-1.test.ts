import { createHmac, randomBytes } from 'node:crypto'
import { expect, test } from '@repo/testing'
import { createVersion1 } from './version-1.ts'

const secret = 'a secret of the whole cluster, 32+'
const ada = { userId: 'u1', email: 'ada@x.test', role: 'user', sessionId: 's1' }
const request = { method: 'POST', path: '/api/payments?page=2' }

/** A header with a valid signature whose text is no identity. */
function signed(text: string): string {
  const payload = Buffer.from(text).toString('base64url')
  const mac = createHmac('sha256', secret)
    .update(`${payload}\n${request.method}\n${request.path}`)
    .digest('base64url')
  return `${payload}.${mac}`
}

const identities = createVersion1({ secret })
const header = identities.sign(ada, request)

test('an identity is valid for the request for which it is signed', () => {
  expect(identities.verify(header, request)).toMatchObject({ outcome: 'valid', identity: ada })
})

test('an identity names the administrator who acts for the user', () => {
  const impersonated = { ...ada, actor: { id: 'u2', name: 'Grace' } }
  const check = identities.verify(identities.sign(impersonated, request), request)
  expect(check).toMatchObject({ outcome: 'valid', identity: impersonated })
})

test('an identity of a later release is valid, and its additional fields are ignored', () => {
  const later = signed(JSON.stringify({ identity: { ...ada, later: 1 }, issuedAtMs: Date.now() }))
  expect(identities.verify(later, request)).toMatchObject({ outcome: 'valid', identity: ada })
})

test('a request without the header has no identity', () => {
  expect(identities.verify(undefined, request)).toEqual({ outcome: 'missing' })
})

test('an identity is forged for another method, another path and another query', () => {
  for (const other of [
    { ...request, method: 'GET' },
    { ...request, path: '/api/payments?page=3' },
    { ...request, path: '/api/payments' },
    { method: 'POST\n', path: request.path },
  ]) {
    expect(identities.verify(header, other)).toEqual({ outcome: 'forged' })
  }
})

test('an identity that another secret signed is forged', () => {
  const other = createVersion1({ secret: `${secret}!` })
  expect(other.verify(header, request)).toEqual({ outcome: 'forged' })
})

test('an identity is signed with the current secret, and valid under each accepted secret', () => {
  const next = `${secret}!`
  const overlapping = createVersion1({ secret: next, acceptedSecrets: [secret] })
  expect(overlapping.verify(header, request)).toMatchObject({ outcome: 'valid', identity: ada })
  const renewed = overlapping.sign(ada, request)
  expect(identities.verify(renewed, request)).toEqual({ outcome: 'forged' })
  expect(createVersion1({ secret: next }).verify(renewed, request).outcome).toBe('valid')
})

test('an identity is forged after a change of any character of its payload', () => {
  const [payload = '', mac] = header.split('.')
  for (let at = 0; at < payload.length; at += 7) {
    const changed = payload[at] === 'A' ? 'B' : 'A'
    const tampered = `${payload.slice(0, at)}${changed}${payload.slice(at + 1)}.${mac}`
    expect(identities.verify(tampered, request)).toEqual({ outcome: 'forged' })
  }
})

test.for([-60_000, 0, 60_000])('an identity is valid with a clock difference of %i ms', (offMs) => {
  const late = createVersion1({ secret, now: () => 1_000_000 + offMs })
  const early = createVersion1({ secret, now: () => 1_000_000 })
  expect(late.verify(early.sign(ada, request), request).outcome).toBe('valid')
})

test.for([-60_001, 60_001])('an identity is forged with a clock difference of %i ms', (offMs) => {
  const late = createVersion1({ secret, now: () => 1_000_000 + offMs })
  const early = createVersion1({ secret, now: () => 1_000_000 })
  expect(late.verify(early.sign(ada, request), request)).toEqual({ outcome: 'forged' })
})

test('an identity that another release signed in another form is unreadable and never valid', () => {
  const issuedAtMs = Date.now()
  for (const text of [
    'not JSON',
    'null',
    '{}',
    JSON.stringify({ identity: { userId: 'u1' }, issuedAtMs }),
    JSON.stringify({ identity: ada, issuedAtMs: 'now' }),
    JSON.stringify({ version: 2, identity: ada, issuedAtMs }),
  ]) {
    expect(identities.verify(signed(text), request)).toEqual({ outcome: 'unreadable' })
  }
})

test('an identity of the previous release is valid', () => {
  // The form of commit ed408d6.
  const text = `{"identity":{"userId":"u1","email":"ada@x.test","role":"user","sessionId":"s1"},"issuedAtMs":${Date.now()}}`
  expect(identities.verify(signed(text), request)).toMatchObject({
    outcome: 'valid',
    identity: ada,
  })
})

test('verify never throws: text that the cluster did not sign is forged', () => {
  const garbage = [
    '',
    '.',
    '..',
    'no dot',
    header.split('.')[0]!,
    `${header}.`,
    `${header}.more`,
    `.${header.split('.')[1]}`,
    '€.€',
    '\u0000.\u0000',
    randomBytes(2_000_000).toString('base64url'),
    `${'A'.repeat(5_000_000)}.${'A'.repeat(43)}`,
  ]
  for (const each of garbage) {
    expect(identities.verify(each, request)).toEqual({ outcome: 'forged' })
  }
})
