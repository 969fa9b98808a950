import { pino } from 'pino'
import { currentRequest } from './request-context.ts'

export type Log = pino.Logger

/**
 * One JSON line per event on stdout, with the instance, and the request and trace while one is
 * served. Cookies, authorisation and secrets are never logged.
 */
export function createLog({
  app,
  instance,
  version,
  level = 'info',
}: {
  app: string
  instance: string
  version: string
  level?: string
}): Log {
  return pino({
    level,
    base: { app, instance, version },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: ['*.password', '*.token', '*.cookie', '*.authorization', '*.secret'],
    mixin() {
      const request = currentRequest()
      return request ? { request: request.id, trace: request.traceId } : {}
    },
  })
}
