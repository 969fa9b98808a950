import { authEndpoints } from './endpoints/auth.ts'
import type { Endpoint } from './endpoints/endpoint.ts'
import { gatewayEndpoints } from './endpoints/gateway.ts'
import { paymentEndpoints } from './endpoints/payments.ts'

export type { Endpoint, Method } from './endpoints/endpoint.ts'
export { authEndpoints, gatewayEndpoints, paymentEndpoints }

/**
 * Every endpoint of the HTTP contract, each with another method or path. The gateway compiles its
 * routes from this list. It is a separate entry point, because browsers do not need it.
 */
export const endpoints: readonly Endpoint[] = [
  ...gatewayEndpoints,
  ...authEndpoints,
  ...paymentEndpoints,
]
