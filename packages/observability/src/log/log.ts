import { pino } from 'pino'
import type { Figure } from '../metrics/figures.ts'
import { currentRequest } from '../request/request-context.ts'
import { createLineOutput, type LineOutput } from './line-output.ts'
import { createRequestLog, escapeControls, type ServedRequest } from './request-log.ts'

export type Log = pino.Logger

const requestLogs = new WeakMap<Log, (request: ServedRequest) => void>()

const SECRETS = ['password', 'token', 'cookie', 'authorization', 'secret']

/**
 * Creates a log that writes one JSON line per event. Each line names the instance, and the request
 * and trace that are being served. Cookies, credentials and secrets are never logged.
 *
 * @param destination receives each line; stdout by default
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
  destination?: Pick<LineOutput, 'write'> & Partial<Pick<LineOutput, 'writeSoon'>>
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
      if (!request) return {}
      const { id, traceId, actor, country, user } = request
      return {
        request: id,
        trace: traceId,
        ...(country !== undefined && { country }),
        ...(user !== undefined && { user }),
        ...(actor && { actor: actor.id, account: actor.userId }),
      }
    },
  }
  const output = destination ?? createLineOutput({ fd: 1 })
  const log = pino(options, { write: (line) => output.write(escapeControls(line)) })
  requestLogs.set(
    log,
    createRequestLog({ app, instance, version }, (line) =>
      output.writeSoon ? output.writeSoon(line) : output.write(line),
    ),
  )
  return log
}

/**
 * Writes the line of a served request, if the level of the log includes `info`. A line that a client
 * chose in part cannot end early or look like another line.
 *
 * @param log a log that `createLog` returned
 */
export function logRequest(log: Log, request: ServedRequest): void {
  if (log.isLevelEnabled('info')) requestLogs.get(log)?.(request)
}

/** Creates the log of an instance on stdout. A line reports each gap in it. */
export function createInstanceLog(options: Omit<Parameters<typeof createLog>[0], 'destination'>): {
  log: Log
  output: LineOutput
} {
  const output = createLineOutput({
    fd: 1,
    onResume(lines) {
      const message = `${lines} log lines were dropped because stdout did not accept them`
      log.warn({ event: 'log.dropped', lines }, message)
    },
  })
  const log = createLog({ ...options, destination: output })
  return { log, output }
}

/** The number of log lines that were lost, and the bytes that wait. */
export function logFigures(output: LineOutput): Figure[] {
  return [
    {
      name: 'threefold_log_dropped_lines_total',
      help: 'Log lines that were dropped because stdout did not accept them',
      kind: 'counter',
      read: () => output.droppedLines(),
    },
    {
      name: 'threefold_log_buffered_bytes',
      help: 'Bytes of the log that wait until stdout accepts them',
      kind: 'gauge',
      read: () => output.bufferedBytes(),
    },
  ]
}

/**
 * Returns the type, message, code, stack and causes of an error. Its other properties are left out:
 * the error of a query carries parameters, which are tokens and hashes of passwords.
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

/** Removes the parameters, which drizzle writes below the text of the query. */
function withoutParameters(message: string): string {
  return message.replace(/\nparams: .*/s, '')
}
