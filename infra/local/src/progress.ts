import { styleText } from 'node:util'

export interface Progress {
  /** Runs one step and prints a line with its result and time. */
  step<T>(title: string, run: () => Promise<{ note: string; value: T }>): Promise<T>
  /** Something that happened while the cluster runs. */
  event(message: string, fields?: Record<string, unknown>): void
  /** Text for people; nothing with `--json`. */
  text(lines: string): void
  /** Data for programs; nothing without `--json`. */
  data(fields: Record<string, unknown>): void
  /** What is wrong and what mends it, in one line on stderr. */
  fault(message: string): void
}

/** Prints what happens: a line per step for people, or a JSON object per line with `--json`. */
export function createProgress({
  json,
  out = process.stdout,
}: {
  json: boolean
  out?: NodeJS.WriteStream
}): Progress {
  const began = performance.now()
  const data = (fields: Record<string, unknown>) => {
    if (json) out.write(`${JSON.stringify({ time: new Date().toISOString(), ...fields })}\n`)
  }
  const text = (lines: string) => {
    if (!json) out.write(`${lines}\n`)
  }

  return {
    async step(title, run) {
      const since = performance.now()
      if (!json && out.isTTY) out.write(`  ${styleText('dim', '…')} ${title}`)
      try {
        const { note, value } = await run()
        const time = styleText('dim', `${seconds(since).padStart(6)} s`)
        text(
          `${clear(json, out)}  ${styleText('green', '✓')} ${title.padEnd(12)} ${note.padEnd(52)} ${time}`,
        )
        data({ step: title, note, ms: Math.round(performance.now() - since) })
        return value
      } catch (error) {
        text(`${clear(json, out)}  ${styleText('red', '✗')} ${title}`)
        throw error
      }
    },
    event(message, fields = {}) {
      text(
        `  ${styleText('yellow', '!')} ${message} ${styleText('dim', `(at ${seconds(began)} s)`)}`,
      )
      data({ event: message, ...fields })
    },
    text,
    data,
    fault(message) {
      if (json) data({ fault: message })
      process.stderr.write(`${styleText('red', 'fault:')} ${message}\n`)
    },
  }
}

function clear(json: boolean, out: NodeJS.WriteStream): string {
  return !json && out.isTTY ? '\r\u001B[2K' : ''
}

function seconds(since: number): string {
  return ((performance.now() - since) / 1_000).toFixed(1)
}
