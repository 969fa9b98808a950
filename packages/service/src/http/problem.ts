import { type ServerResponse, STATUS_CODES } from 'node:http'
import { currentRequest } from '@repo/observability'

/** RFC 9457 problem details. `instance` names the request, so that its log lines can be found. */
export interface Problem {
  type: string
  title: string
  status: number
  detail: string
  instance?: string
  /** The faulty fields, for 400 and 422. */
  errors?: { field: string; message: string }[]
}

export interface ProblemOptions {
  status: number
  /** A stable name for programs: the type is `urn:threefold:problem:<code>`. */
  code?: string
  detail: string
  errors?: { field: string; message: string }[]
  /** Seconds; sent as Retry-After. */
  retryAfter?: number
  /** The methods that are accepted; sent as Allow (RFC 9110 15.5.6). */
  allow?: string
}

/** Returns the `instance` of a problem document (RFC 9457 3.1.5): the id of the request as a URI. */
export function problemInstance(): string | undefined {
  const request = currentRequest()
  return request && `urn:request:${request.id}`
}

/** Creates a problem document whose instance is the current request. */
export function createProblem({ status, code, detail, errors }: ProblemOptions): Problem {
  const instance = problemInstance()
  return {
    type: code ? `urn:threefold:problem:${code}` : 'about:blank',
    title: STATUS_CODES[status] ?? 'Error',
    status,
    detail,
    ...(instance && { instance }),
    ...(errors && { errors }),
  }
}

/** A browser does not guess the type of a response with data, runs nothing in it, and shows it in no frame. */
export const dataHeaders = [
  ['x-content-type-options', 'nosniff'],
  ['content-security-policy', "default-src 'none'; frame-ancestors 'none'"],
] as const
const dataFields = Object.fromEntries(dataHeaders)

/** Returns the headers of a problem response. */
export function problemHeaders({ retryAfter, allow }: ProblemOptions): Record<string, string> {
  return {
    'content-type': 'application/problem+json',
    'cache-control': 'no-store',
    ...dataFields,
    ...(retryAfter !== undefined && { 'retry-after': String(retryAfter) }),
    ...(allow !== undefined && { allow }),
  }
}

/** Sends a problem as the response of a node:http request, unless a response has begun. */
export function sendProblem(res: ServerResponse, options: ProblemOptions): void {
  if (res.headersSent) return
  const body = JSON.stringify(createProblem(options))
  res.writeHead(options.status, {
    ...problemHeaders(options),
    'content-length': Buffer.byteLength(body),
  })
  res.end(body)
}

/**
 * Returns a function that sends a problem without an instance. Its text is written once, for refusals that
 * must cost less than the work that they avoid.
 */
export function createProblemSender(options: ProblemOptions): (res: ServerResponse) => void {
  const body = Buffer.from(JSON.stringify(createProblem(options)))
  const headers = Object.entries({
    ...problemHeaders(options),
    'content-length': String(body.length),
  }).flat()
  // A copy, because a response can add its fields to it.
  return (res) => void res.writeHead(options.status, [...headers]).end(body)
}

/** Returns a whole response as text, for a connection on which node:http has no request. */
export function rawProblem(options: ProblemOptions): string {
  const body = JSON.stringify(createProblem(options))
  const headers = {
    ...problemHeaders(options),
    'content-length': Buffer.byteLength(body),
    connection: 'close',
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  const title = STATUS_CODES[options.status] ?? 'Error'
  return `HTTP/1.1 ${options.status} ${title}\r\n${lines.join('')}\r\n${body}`
}
