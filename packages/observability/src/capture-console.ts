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
 * Sends what libraries print with `console`, and the warnings of Node.js, to the log. Both write to
 * their stream synchronously otherwise: a reader that stalls would block the process.
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

/** Replaces the listener of Node.js that prints warnings to stderr. */
export function captureWarnings(log: Log): void {
  process.removeAllListeners('warning')
  process.on('warning', (warning) => log.warn({ event: 'warning', err: warning }, warning.message))
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
  )
}
