import type { Response } from './read-responses.ts'
import type { Seen } from './recorder.ts'

/**
 * The server under attack. `edge`: a load balancer alone in front of the recorder. `gateway`: an edge
 * and a gateway in front of the recorder.
 */
export type Front = 'edge' | 'gateway'

/** A fault in one sentence, or undefined. */
export type Fault = string | undefined

export interface Check {
  name: string
  /**
   * The bytes of the client, in Latin-1. `{id}` becomes a name that is unique to the check, `{cookie}` the
   * session cookie of a user.
   */
  request: string
  /** The statuses of an allowed refusal. A closed connection without a response is a refusal too. */
  refused?: readonly number[]
  /** The request may be forwarded, once, if this finds no fault in it. */
  forwarded?: (seen: Seen) => Fault
  /** Inspects the responses that the client received, whether the request was forwarded or not. */
  answered?: (responses: readonly Response[], raw: string) => Fault
  /** The raw bytes with which the recorder responds, in Latin-1; it then closes the connection. */
  response?: string
  /** The recorder keeps the connection open after its response. */
  holds?: boolean
  /** The number of forwarded requests; 1 by default. */
  forwards?: number
  /** The check applies to this front only. */
  front?: Front
  /** The kinds of fronts that the check does not apply to, each with the reason. */
  except?: Readonly<Partial<Record<Kind, string>>>
}

/** The servers that can be the front. */
export type Kind = 'embedded' | 'haproxy' | 'nginx'

/** Statuses of a server that refuses a malformed or unacceptable request. */
export const REFUSALS = [
  400, 403, 404, 405, 408, 411, 413, 414, 417, 421, 422, 431, 501, 505,
] as const

export const ORIGIN = 'http://localhost:8080'
export const PATH = '/api/auth/{id}'

const HEADERS = [`Host: localhost:8080`, `Origin: ${ORIGIN}`]

/** A request with exactly these header lines after Host and Origin. */
export function message(line: string, headers: readonly string[], body = ''): string {
  return `${[`${line} HTTP/1.1`, ...HEADERS, ...headers].join('\r\n')}\r\n\r\n${body}`
}

/** A GET that closes its connection. */
export function get(target: string, headers: readonly string[] = []): string {
  return message(`GET ${target}`, [...headers, 'Connection: close'])
}

/** A POST of plain text with these framing headers. */
export function post(headers: readonly string[], body: string): string {
  return message(`POST ${PATH}`, ['Content-Type: text/plain', ...headers], body)
}

/** A second request in the bytes of the first: no front may forward it as a request. */
export const SMUGGLED = 'GET /api/auth/{id}-smuggled HTTP/1.1\r\nHost: localhost:8080\r\n\r\n'

export function fine(): Fault {
  return undefined
}

/** The recorder received this body. */
export function bodyIs(body: string): (seen: Seen) => Fault {
  return (seen) => (seen.body === body ? undefined : `the body is ${JSON.stringify(seen.body)}`)
}

/** The recorder received the target unchanged. */
export function targetIs(target: string): (seen: Seen) => Fault {
  return (seen) =>
    seen.url === target.replaceAll('{id}', seen.id) ? undefined : `the target is ${seen.url}`
}

/** No header of this name, with any spelling that CGI or Node reads as the name, has the value. */
export function lacks(name: string, value: string): (seen: Seen) => Fault {
  const plain = name.toLowerCase().replaceAll('_', '-')
  return ({ headers }) => {
    const found = headers.find(
      ([each, text]) => each.toLowerCase().replaceAll('_', '-') === plain && text.includes(value),
    )
    return found && `the upstream received ${found.join(': ')}`
  }
}
