import { type Filter, type Level, LEVELS } from './options.ts'

/** A line of a log file. */
export interface LogLine {
  instance: string
  /** The text in the file. */
  text: string
  /** Its fields. Undefined: it is not JSON, so another program than the log wrote it. */
  fields: Record<string, unknown> | undefined
  /** The time in ms. A line without a time has the one of the line before. */
  timeMs: number
  level: Level
}

/** Reads a line of the file of an instance. `beforeMs` is the time of the line before. */
export function readLine(text: string, instance: string, beforeMs: number): LogLine {
  const fields = parse(text)
  const time = fields?.['time']
  const timeMs = typeof time === 'string' ? Date.parse(time) : Number.NaN
  const level = LEVELS.find((each) => each === fields?.['level'])
  const name = fields?.['instance']
  return {
    instance: typeof name === 'string' ? name : instance,
    text,
    fields,
    timeMs: Number.isNaN(timeMs) ? beforeMs : timeMs,
    // An instance writes a plain text only when something is wrong.
    level: level ?? (fields ? 'info' : 'warn'),
  }
}

/** Whether the filter accepts a line. The instances of the filter choose files, not lines. */
export function isWanted(
  { fields, level }: LogLine,
  filter: Pick<Filter, 'id' | 'level'>,
): boolean {
  if (LEVELS.indexOf(level) < LEVELS.indexOf(filter.level)) return false
  const { id } = filter
  return (
    id === undefined || startsWith(fields?.['request'], id) || startsWith(fields?.['trace'], id)
  )
}

function startsWith(value: unknown, prefix: string): boolean {
  return typeof value === 'string' && value.startsWith(prefix)
}

function parse(text: string): Record<string, unknown> | undefined {
  if (!text.startsWith('{')) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
