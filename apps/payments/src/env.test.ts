import { parseEnv, sharedSettings } from '@repo/service'
import { expect, test } from 'vitest'
import { paymentsSettings, webhookReceiver } from './env.ts'

const KEY = Buffer.from('a key of 32 bytes for the tests!')
const good = {
  PORT: '4401',
  ORIGIN: 'http://localhost:8080',
  REDIS_URL: 'redis://localhost:6379',
  DATABASE_URL: 'postgres://host/db',
  INTERNAL_SECRET: 'k7Jx2mQ9vR4tY8wZ1aB5cD3eF6gH0iL-',
}
const PAYMENT_WEBHOOK_URL = 'https://shop.example/hook?token=SECRET'
const PAYMENT_WEBHOOK_SECRET = `whsec_${KEY.toString('base64')}`

const read = (settings: Record<string, string>) =>
  parseEnv(paymentsSettings, { ...good, ...settings })

test('the receiver of webhooks has the URL and the bytes of the secret, and is optional', () => {
  const receivers = [{}, { PAYMENT_WEBHOOK_URL }, { PAYMENT_WEBHOOK_URL, PAYMENT_WEBHOOK_SECRET }]
    .map(read)
    .map((result) => (result.outcome === 'valid' ? webhookReceiver(result.env) : result))
  expect(receivers).toEqual([
    undefined,
    { url: PAYMENT_WEBHOOK_URL, secret: undefined },
    { url: PAYMENT_WEBHOOK_URL, secret: KEY },
  ])
})

test.each([
  ['ftp://SECRET.example/', PAYMENT_WEBHOOK_SECRET, 'PAYMENT_WEBHOOK_URL'],
  ['file:///SECRET', PAYMENT_WEBHOOK_SECRET, 'PAYMENT_WEBHOOK_URL'],
  ['SECRET', PAYMENT_WEBHOOK_SECRET, 'PAYMENT_WEBHOOK_URL'],
  ['https://user:SECRET@shop.example/', PAYMENT_WEBHOOK_SECRET, 'PAYMENT_WEBHOOK_URL'],
  ['', PAYMENT_WEBHOOK_SECRET, 'PAYMENT_WEBHOOK_SECRET'],
  [PAYMENT_WEBHOOK_URL, KEY.toString('base64'), 'PAYMENT_WEBHOOK_SECRET'],
  [PAYMENT_WEBHOOK_URL, 'whsec_U0VDUkVU', 'PAYMENT_WEBHOOK_SECRET'],
  [PAYMENT_WEBHOOK_URL, `${PAYMENT_WEBHOOK_SECRET}!`, 'PAYMENT_WEBHOOK_SECRET'],
  [PAYMENT_WEBHOOK_URL, `whsec_${'A'.repeat(400)}`, 'PAYMENT_WEBHOOK_SECRET'],
])('a faulty receiver is refused without its value: %j with %j', (url, secret, name) => {
  const result = read({ PAYMENT_WEBHOOK_URL: url, PAYMENT_WEBHOOK_SECRET: secret })
  expect(result).toEqual({ outcome: 'invalid', faults: [expect.stringMatching(`^${name}: `)] })
  expect(JSON.stringify(result)).not.toMatch(/SECRET\b(?<!_SECRET)|U0VDUkVU/)
})

test('instances with another receiver or another secret have other shared settings', () => {
  const one = sharedSettings(paymentsSettings, { ...good, PAYMENT_WEBHOOK_URL })
  const two = sharedSettings(paymentsSettings, {
    ...good,
    PAYMENT_WEBHOOK_URL: 'https://b.example',
  })
  expect(one['PAYMENT_WEBHOOK_URL']).not.toBe(two['PAYMENT_WEBHOOK_URL'])
  expect(one).toHaveProperty('PAYMENT_WEBHOOK_SECRET')
})
