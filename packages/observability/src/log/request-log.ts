import type { RequestContext } from '../request/request-context.ts'

/** The end of a request. */
export interface ServedRequest {
  context: RequestContext
  method: string
  /** Without the query. */
  path: string
  status: number
  ms: number
  /** The size of the response body, or of all bytes that an upgraded connection received. */
  bytes: number
  /** The response broke off, on the side of the client or of the server. */
  isCut: boolean
}

export interface LogBase {
  app: string
  instance: string
  version: string
}

/**
 * Characters that JSON permits in text and that can end or reorder a line on a terminal or in a viewer:
 * DEL and the C1 controls, the line separators of Unicode, and its marks of direction.
 */
const CONTROLS = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/
const EACH_CONTROL = new RegExp(CONTROLS, 'g')
/** Text that needs no escape in JSON. */
const PLAIN = /^[\x20!\x23-\x5b\x5d-\x7e]*$/

/** Escapes, in JSON, the characters that can end or reorder a line. The values stay the same. */
export function escapeControls(json: string): string {
  if (!CONTROLS.test(json)) return json
  return json.replace(
    EACH_CONTROL,
    (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/**
 * Returns a function that writes the line of a served request. The line has the fields and the form of
 * pino's lines, and costs a tenth: only the path and the ids of an impersonation are escaped.
 */
export function createRequestLog(
  base: LogBase,
  write: (line: string) => void,
): (request: ServedRequest) => void {
  const fields = JSON.stringify(base).slice(1, -1)

  return function logRequest({ context, method, path, status, ms, bytes, isCut }): void {
    const { id, traceId, spanId, route, upstream, tries, idempotency } = context
    const routeField = route === undefined ? '' : `,"route":${quote(route)}`
    const upstreamFields =
      upstream === undefined ? '' : `,"upstream":${quote(upstream)},"tries":${tries}`
    const keyFields = idempotency
      ? `,"idempotency":${quote(idempotency.outcome)},"keyHash":${quote(idempotency.keyHash)}`
      : ''
    write(
      `{"level":"info","time":"${isoTime(Date.now())}",${fields},"request":${quote(id)},"trace":"${traceId}"${personFields(context)},"event":"request","span":"${spanId}","method":${quote(method)},"path":${quote(path)}${routeField},"status":${status},"ms":${roundMs(ms)},"bytes":${bytes}${upstreamFields}${keyFields}${isCut ? ',"cut":true' : ''},"msg":${quote(`${method} ${status}`)}}\n`,
    )
  }
}

function personFields({ country, user, actor }: RequestContext): string {
  if (country === undefined && user === undefined && !actor) return ''
  const countryField = country === undefined ? '' : `,"country":${quote(country)}`
  const userField = user === undefined ? '' : `,"user":${quote(user)}`
  if (!actor) return countryField + userField
  return `${countryField}${userField},"actor":${quote(actor.id)},"account":${quote(actor.userId)}`
}

/** Tenths of a millisecond below 100 ms. */
function roundMs(ms: number): number {
  return ms < 100 ? Math.round(ms * 10) / 10 : Math.round(ms)
}

function quote(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : escapeControls(JSON.stringify(text))
}

let second = -1
let secondText = ''

/** As `toISOString`, which is computed once for each second. */
function isoTime(nowMs: number): string {
  const current = Math.floor(nowMs / 1_000)
  if (current !== second) {
    second = current
    secondText = new Date(current * 1_000).toISOString().slice(0, 20)
  }
  const ms = nowMs - current * 1_000
  return `${secondText}${ms < 10 ? '00' : ms < 100 ? '0' : ''}${ms}Z`
}
