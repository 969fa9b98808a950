import type { IncomingMessage, ServerResponse } from 'node:http'
import { currentRequest } from '@repo/observability'
import type { Hold } from '@repo/proxy'
import type { Identity } from '@repo/service'
import type { Validation } from '@repo/session'
import { isSignedIn } from '../caller.ts'
import type { KeyRecord } from '../keys/records.ts'
import type { Route } from '../routing/route.ts'
import type { Caller, Handshake } from '../upstreams/forward.ts'

const UNCHECKED: Validation = { outcome: 'none' }

/** The facts about one request in flight. Each stage reads and adds some. */
export class GatewayRequest implements Caller {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly route: Route
  readonly method: string
  /** Canonical, without the query. */
  readonly path: string
  /** The connection of a handshake for a WebSocket. */
  readonly handshake: Handshake | undefined
  /** The context of the request, for its log line. */
  readonly context = currentRequest()
  /** The address of the client, from `enrich` on. */
  ip = ''
  /** The country of the address as an ISO 3166-1 code, if it was found. */
  country: string | undefined
  /** The session check, from `authenticate` on. */
  check = UNCHECKED
  /** The API key of the caller, from `authenticate` on. Then no session is checked. */
  key: KeyRecord | undefined
  /** Refuses the API key of the request, after the limits have counted it. */
  refuseKey: ((res: ServerResponse) => void) | undefined
  /** The caller for the upstream, from `require-session` on. */
  identity: Identity | undefined
  /** Decides about a request with a key, from `idempotency` on. */
  hold: Hold | undefined
  /** Whether another instance may get the request although it may have run, from `idempotency` on. */
  mayRepeat = false
  /** Headers of the response: `[name, value, name, value, ...]`. */
  readonly headers: string[] = []

  constructor(
    req: IncomingMessage,
    res: ServerResponse,
    route: Route,
    path: string,
    handshake?: Handshake,
  ) {
    this.req = req
    this.res = res
    this.route = route
    this.method = req.method ?? 'GET'
    this.path = path
    this.handshake = handshake
  }

  /** The user whose quota the request uses. An open service finds the user itself. */
  get userId(): string | undefined {
    if (this.key) return this.key.userId
    return this.route.auth !== 'open' && isSignedIn(this.check) ? this.check.user.id : undefined
  }
}
