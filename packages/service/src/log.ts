import { pino } from 'pino'
import { currentRequest } from './request-context.ts'

export type Log = pino.Logger

const SECRETS = ['password', 'token', 'cookie', 'authorization', 'secret']

/**
 * One JSON line per event on stdout, with the instance, and the request and trace while one is
 * served. Cookies, authorisation and secrets are never logged.
 */
export function createLog({
  app,
  instance,
  version,
  level = 'info',
  destination,
}: {
  app: string
  instance: string
  version: string
  level?: string
  /** Where the lines go: stdout. */
  destination?: { write(line: string): void }
}): Log {
  const options: pino.LoggerOptions = {
    level,
    base: { app, instance, version },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: SECRETS.flatMap((name) => [name, `*.${name}`]),
    serializers: { err: describeError },
    mixin() {
      const request = currentRequest()
      return request ? { request: request.id, trace: request.traceId } : {}
    },
  }
  // Before the call returns: the last lines before an exit or a crash are those that matter.
  return pino(options, destination ?? pino.destination({ dest: 1, sync: true }))
}

/**
 * What kind, where and why, through its causes. Nothing else that an error carries: with a failed
 * query come its parameters, which are tokens and hashes of passwords.
 */
function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return String(error)
  const message = withoutParameters(error.message)
  return {
    type: error.name,
    message,
    ...('code' in error && { code: String(error.code) }),
    stack: error.stack?.replace(error.message, () => message),
    ...(error.cause !== undefined && { cause: describeError(error.cause) }),
  }
}

/** drizzle writes them below the text of the query. */
function withoutParameters(message: string): string {
  return message.replace(/\nparams: .*/s, '')
}
