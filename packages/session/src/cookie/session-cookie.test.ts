import { createHmac } from 'node:crypto'
import { describe, expect, test } from '@repo/testing'
import { chosenCookies } from './chosen-cookies.ts'
import {
  cookiePrefix,
  cookieSiteOf,
  readSessionCookie,
  sessionCookieNames,
  signSessionValue as signedValue,
} from './session-cookie.ts'

const secret = 'a secret of at least thirty-two characters'
const token = 'Zm9yIHRlc3RzIG9ubHksIDMyIGNoYXJz'
const value = signedValue(token, secret)
const name = 'better-auth.session_token'
const signed = { outcome: 'signed', token, value, secret }
const none = { outcome: 'none' }

function read(header: string | undefined, secure?: boolean) {
  return readSessionCookie(header, { secret, secure })
}

function cookie(raw: string) {
  return read(`${name}=${raw}`)
}

describe('a signed session cookie', () => {
  // Made by signCookieValue of better-call 1.4.0, with which Better Auth 1.7.7 signs.
  test.for([
    ['known-token-1', '%2FYMeDidfUMBeyv3tQfvB5RdfgkDFED1%2BKd%2BGJZ627xY%3D'],
    ['known-token-2', 'PuA%2FARu9h4vwnDeZEsQXc%2BRK5vtqq3XuZbHwUsarXWU%3D'],
    ['known-token-3', 'dMZ%2FsNQwV4CheL7peieop0KWjiTt2CvXi2xC2nvLDDw%3D'],
  ] as const)(
    'a session cookie is signed like a cookie of Better Auth: %s',
    ([plain, signature]) => {
      expect(cookie(`${plain}.${signature}`)).toMatchObject({ outcome: 'signed', token: plain })
      expect(signedValue(plain, secret)).toBe(`${plain}.${signature}`)
    },
  )

  test.for([
    `${name}=${value}`,
    `theme=dark; ${name}=${value}; lang=en`,
    `theme=dark;${name}=${value};lang=en`,
    `  theme=dark ;   ${name}=${value}  `,
    `a; =b; ${name}=${value}; c=d=e`,
    `__Secure-${name}=${value}`,
  ])('a session cookie is found in the header: %s', (header) => {
    expect(read(header)).toEqual(signed)
  })

  test('a session cookie is read with every encoding of its signature', () => {
    const tokens = Array.from({ length: 500 }, (_, index) => `token-${index}`)
    const values = tokens.map((each) => signedValue(each, secret))
    expect(values.filter((each) => /%2B|%2F/.test(each)).length).toBeGreaterThan(100)
    const outcomes = values.map((each) => cookie(each))
    expect(outcomes).toMatchObject(tokens.map((each) => ({ outcome: 'signed', token: each })))
  })
})

describe('no signed session cookie', () => {
  const base64 = createHmac('sha256', secret).update(token).digest('base64')
  const flipped = base64.startsWith('A') ? 'B' : 'A'

  test.for([
    ['absent', undefined],
    ['empty', ''],
    ['only other cookies', 'theme=dark; session_token=x'],
    ['a name that only begins with it', `${name}2=${value}`],
    ['a name in another case', `Better-Auth.session_token=${value}`],
    ['two of one name', `${name}=${value}; ${name}=${value}`],
    ['one of each name', `${name}=${value}; __Secure-${name}=${value}`],
  ] as const)('S8: a header has no session cookie if it is %s', ([, header]) => {
    expect(read(header)).toEqual(none)
  })

  test.for([
    ['empty', ''],
    ['a token without a signature', token],
    ['a token with an empty signature', `${token}.`],
    ['a signature without a token', encodeURIComponent(`.${base64}`)],
    ['the signature of an empty token', signedValue('', secret)],
    ['tampered in its token', value.replace(/^./, (first) => (first === 'X' ? 'Y' : 'X'))],
    ['tampered in its signature', encodeURIComponent(`${token}.${flipped}${base64.slice(1)}`)],
    ['signed with another secret', signedValue(token, `${secret}!`)],
    ['oversized', `${'x'.repeat(8_000)}${value}`],
    ['oversized and well signed', signedValue('x'.repeat(8_000), secret)],
    ['in broken percent-encoding', `${value}%`],
    ['in percent-encoding of no text', `%ff%fe${value}`],
    ['encoded twice', encodeURIComponent(value)],
    [
      'with the signature in base64url',
      `${token}.${base64.replaceAll('+', '-').replaceAll('/', '_')}x`,
    ],
    ['with the signature unpadded', `${token}.${encodeURIComponent(base64.replace('=', ''))}`],
    ['with the signature in hex', `${token}.${Buffer.from(base64, 'base64').toString('hex')}`],
    ['with a line break in the signature', encodeURIComponent(`${token}.${base64}\n`)],
  ] as const)('S8: a session cookie is none if it is %s', ([, raw]) => {
    expect(cookie(raw)).toEqual(none)
  })

  test('a session cookie that is truncated or extended anywhere is none', () => {
    for (let length = 0; length < value.length; length += 1) {
      expect(cookie(value.slice(0, length))).toEqual(none)
    }
    for (const extra of ['A', '=', '%3D', '.', '%00']) expect(cookie(value + extra)).toEqual(none)
  })

  // Decoding base64 accepts four spellings of the last character: a signature has one.
  test('a session cookie with another spelling of its signature is none', () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
    const spellings = Array.from(alphabet).map((last) => `${base64.slice(0, 42)}${last}=`)
    const accepted = spellings.filter(
      (spelling) => cookie(encodeURIComponent(`${token}.${spelling}`)).outcome === 'signed',
    )
    expect(accepted).toEqual([base64])
  })
})

describe('over https', () => {
  test('over https only the __Secure- cookie counts, and no http page can plant or block one', () => {
    const planted = signedValue('the-session-of-an-attacker', secret)
    expect(read(`${name}=${planted}`, true)).toEqual(none)
    expect(read(`${name}=${planted}; __Secure-${name}=${value}`, true)).toEqual(signed)
  })

  test('a site over http accepts no __Secure- cookie', () => {
    expect(read(`__Secure-${name}=${value}`, false)).toEqual(none)
    expect(read(`${name}=${value}`, false)).toEqual(signed)
  })
})

describe('over http on a port', () => {
  const site = cookieSiteOf('http://localhost:8081')
  const portName = 'better-auth-8081.session_token'
  const options = { secret, ...site }

  test('the cookie name contains the port, unless it is the default or the site uses https', () => {
    expect(sessionCookieNames(site)).toEqual({ current: [portName], former: name })
    expect(cookiePrefix(site)).toBe('better-auth-8081')
    for (const origin of ['http://localhost', 'http://localhost:80', 'http://threefold.test']) {
      expect(sessionCookieNames(cookieSiteOf(origin))).toEqual({ current: [name] })
    }
    for (const origin of ['https://threefold.test', 'https://threefold.test:8443']) {
      expect(sessionCookieNames(cookieSiteOf(origin))).toEqual({ current: [`__Secure-${name}`] })
    }
  })

  test('the cookie of a site on another port of the host is ignored', () => {
    const other = `better-auth-8080.session_token=${signedValue('of-another-site', secret)}`
    expect(readSessionCookie(other, options)).toEqual(none)
    expect(readSessionCookie(`${other}; ${portName}=${value}`, options)).toEqual(signed)
  })

  test('the name of earlier releases counts only where the current one is absent', () => {
    const former = `${name}=${signedValue('of-an-earlier-release', secret)}`
    expect(readSessionCookie(`${name}=${value}`, options)).toEqual(signed)
    expect(readSessionCookie(`${former}; ${portName}=${value}`, options)).toEqual(signed)
    expect(readSessionCookie(`${portName}=broken; ${name}=${value}`, options)).toEqual(none)
    const twice = `${portName}=${value}; ${portName}=${value}; ${name}=${value}`
    expect(readSessionCookie(twice, options)).toEqual(none)
  })

  test('Better Auth receives cookies of earlier releases under the current names', () => {
    const header = `theme=better-auth.x; ${name}=${value}; better-auth.dont_remember=true.s`
    expect(chosenCookies(header, options)).toBe(
      `theme=better-auth.x; ${portName}=${value}; better-auth-8081.dont_remember=true.s`,
    )
    const both = `${portName}=${value}; ${name}=${signedValue('former', secret)}`
    expect(chosenCookies(both, options)).toBe(`${portName}=${value}`)
  })
})

describe('a secret that is replaced', () => {
  const next = 'another secret of at least thirty-two!'
  const options = { secret: next, acceptedSecrets: [secret] }

  test('a cookie of a replaced secret is accepted, and is signed by the new secret for Better Auth', () => {
    const header = `theme=dark; ${name}=${value}; lang=en`
    expect(readSessionCookie(header, options)).toMatchObject({ outcome: 'signed', token, secret })
    const rewritten = chosenCookies(header, options)
    expect(rewritten).toBe(`theme=dark; ${name}=${signedValue(token, next)}; lang=en`)
    expect(readSessionCookie(rewritten, { secret: next })).toMatchObject({ token })
  })

  test('a replaced secret is accepted in the other cookies of Better Auth, so that an impersonator can stop', () => {
    const other = (by: string) => `better-auth.admin_session=${signedValue(`${token}:`, by)}`
    const rewritten = chosenCookies(`${name}=${value}; ${other(secret)}`, options)
    expect(rewritten).toBe(`${name}=${signedValue(token, next)}; ${other(next)}`)
    expect(chosenCookies(other('a secret that nobody knows of here'), options)).toBe(
      other('a secret that nobody knows of here'),
    )
  })

  test.for(['', 'theme=dark', `${name}=${signedValue(token, next)}`])(
    'a header without a cookie of a replaced secret stays as it is: %s',
    (header) => {
      expect(chosenCookies(header, options)).toBe(header)
    },
  )

  test('a cookie that is not accepted is not signed again, and Better Auth does not receive it', () => {
    for (const header of [
      `${name}=${signedValue(token, 'a secret that nobody knows of here')}`,
      `${name}=${value}; ${name}=${value}`,
    ]) {
      expect(chosenCookies(header, options)).toBe('')
    }
  })
})
