import { styleText } from 'node:util'

export interface Progress {
  /**
   * Runs one step and prints a line with its result and time. `describe` reports the current activity of a
   * long step.
   */
  step<T>(
    title: string,
    run: (describe: (activity: string) => void) => Promise<{ note: string; value: T }>,
  ): Promise<T>
  /** An event while the cluster runs. */
  event(message: string, fields?: Record<string, unknown>): void
  /** Text for people; nothing with `--json`. */
  text(lines: string): void
  /** Data for programs; nothing without `--json`. */
  data(fields: Record<string, unknown>): void
  /** A fault and its fix, in one line on stderr. */
  fault(message: string): void
}

/** Writes a line of the log. */
export type WriteRecord = (
  level: 'info' | 'warn' | 'error',
  fields: { [name: string]: unknown },
  message: string,
) => void

/** A terminal shows the line of a long step again each second; a file receives a new line. */
const TERMINAL_EVERY_MS = 1_000
const FILE_EVERY_MS = 10_000

/** Prints the progress: a line per step, or a JSON object per line with `--json`. */
export function createProgress({
  json,
  out = process.stdout,
  record = () => undefined,
}: {
  json: boolean
  out?: { isTTY?: boolean; write(text: string): unknown }
  /** Also receives each step, event and fault, for the log of the launcher. */
  record?: WriteRecord
}): Progress {
  const began = performance.now()
  const isTerminal = !json && out.isTTY
  const data = (fields: Record<string, unknown>) => {
    if (json) out.write(`${JSON.stringify({ time: new Date().toISOString(), ...fields })}\n`)
  }
  const text = (lines: string) => {
    if (!json) out.write(`${isTerminal ? CLEAR : ''}${lines}\n`)
  }

  return {
    async step(title, run) {
      const since = performance.now()
      let activity = ''
      const tick = () => {
        const elapsed = Math.round((performance.now() - since) / 1_000)
        const time = elapsed === 0 ? '' : styleText('dim', `(${elapsed} s so far)`)
        const line = `  ${styleText('dim', '…')} ${title.padEnd(12)} ${activity} ${time}`.trimEnd()
        if (isTerminal) out.write(`${CLEAR}${line}`)
        else text(line)
      }
      if (isTerminal) tick()
      const ticking = setInterval(tick, isTerminal ? TERMINAL_EVERY_MS : FILE_EVERY_MS)
      try {
        const { note, value } = await run((now) => {
          activity = now
          tick()
        })
        const time = styleText('dim', `${seconds(since).padStart(6)} s`)
        text(`  ${styleText('green', '✓')} ${title.padEnd(12)} ${note.padEnd(52)} ${time}`)
        const ms = Math.round(performance.now() - since)
        data({ step: title, note, ms })
        record('info', { event: 'step', step: title, ms }, `${title}: ${note}`)
        return value
      } catch (error) {
        text(`  ${styleText('red', '✗')} ${title}`)
        throw error
      } finally {
        clearInterval(ticking)
      }
    },
    event(message, fields = {}) {
      text(
        `  ${styleText('yellow', '!')} ${message} ${styleText('dim', `(at ${seconds(began)} s)`)}`,
      )
      data({ event: message, ...fields })
      record('warn', { event: 'cluster', ...fields }, message)
    },
    text,
    data,
    fault(message) {
      if (json) data({ fault: message })
      record('error', { event: 'fault' }, message)
      process.stderr.write(`${styleText('red', 'fault:')} ${message}\n`)
    },
  }
}

const CLEAR = '\r\u001B[2K'

function seconds(since: number): string {
  return ((performance.now() - since) / 1_000).toFixed(1)
}
