import { type ServerResponse, STATUS_CODES } from 'node:http'
import { currentRequest } from '@repo/observability'

/** RFC 9457 problem details; `instance` names the request, so that support can find its log lines. */
export interface Problem {
  type: string
  title: string
  status: number
  detail: string
  instance?: string
  /** The fields at fault, for 400 and 422. */
  errors?: { field: string; message: string }[]
}

export interface ProblemOptions {
  status: number
  /** A stable word for programs: `urn:threefold:problem:<code>` is the type. */
  code?: string
  detail: string
  errors?: { field: string; message: string }[]
  /** Seconds; sent as Retry-After. */
  retryAfter?: number
}

/** The `instance` of a problem document (RFC 9457 3.1.5): the id of the current request as a URI. */
export function problemInstance(): string | undefined {
  const request = currentRequest()
  return request && `urn:request:${request.id}`
}

/** A problem document with the current request as its instance. */
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

/** The headers of a problem response. */
export function problemHeaders({ retryAfter }: ProblemOptions): Record<string, string> {
  return {
    'content-type': 'application/problem+json',
    'cache-control': 'no-store',
    ...(retryAfter !== undefined && { 'retry-after': String(retryAfter) }),
  }
}

/** Answers a node:http request with a problem; does nothing when a response has begun. */
export function sendProblem(res: ServerResponse, options: ProblemOptions): void {
  if (res.headersSent) return
  const body = JSON.stringify(createProblem(options))
  res.writeHead(options.status, {
    ...problemHeaders(options),
    'content-length': Buffer.byteLength(body),
  })
  res.end(body)
}
