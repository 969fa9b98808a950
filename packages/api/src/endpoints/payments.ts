import { paymentOrder } from '../requests/payments.ts'
import { payment, payments } from '../responses/payments.ts'
import { problem } from '../responses/problem.ts'
import type { Endpoint } from './endpoint.ts'

export const paymentEndpoints = [
  {
    method: 'GET',
    path: '/api/payments',
    tag: 'payments',
    summary: 'The newest payments of the caller, at most 100',
    auth: 'signed-in',
    scope: 'payments:read',
    responses: { 200: payments },
  },
  {
    method: 'POST',
    path: '/api/payments',
    tag: 'payments',
    summary: 'Make a payment',
    auth: 'signed-in',
    scope: 'payments:write',
    body: paymentOrder,
    responses: { 201: payment, 422: problem, 429: problem, 503: problem },
    idempotency: 'optional',
    exactlyOnce: true,
  },
  {
    method: 'GET',
    path: '/api/payments/{id}',
    tag: 'payments',
    summary: 'One payment of the caller',
    auth: 'signed-in',
    scope: 'payments:read',
    responses: { 200: payment, 404: problem },
  },
] as const satisfies readonly Endpoint[]
