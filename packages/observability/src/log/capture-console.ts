import { format, stripVTControlCharacters } from 'node:util'
import type { Log } from './log.ts'

const LEVELS = {
  log: 'info',
  info: 'info',
  debug: 'debug',
  warn: 'warn',
  error: 'error',
  trace: 'debug',
} as const

/**
 * Sends the output of libraries that print with `console` to the log. `console` writes to its stream
 * synchronously, so a reader that stalls would block the process.
 *
 * A first argument that is a plain object becomes the fields of the line.
 */
export function captureConsole(log: Log, target: Pick<Console, keyof typeof LEVELS>): void {
  for (const [method, level] of Object.entries(LEVELS)) {
    const print = (first: unknown, ...rest: unknown[]) => {
      const fields = isPlainObject(first) ? first : {}
      const message = format(...(isPlainObject(first) ? rest : [first, ...rest]))
      log[level]({ event: 'console', ...fields }, stripVTControlCharacters(message))
    }
    Object.assign(target, { [method]: print })
  }
}

/** Sends the warnings of Node.js to the log: its own listener writes to stderr synchronously. */
export function captureWarnings(log: Log): void {
  process.removeAllListeners('warning')
  process.on('warning', (warning) => log.warn({ event: 'warning', err: warning }, warning.message))
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
  )
}
