import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { hasCode } from '@repo/embedded'
import { followByTime } from './follow.ts'
import { formatLine } from './format.ts'
import { type LogFile, openLogFile } from './log-file.ts'
import type { LogLine } from './log-line.ts'
import { mergeByTime } from './merge.ts'
import type { Options } from './options.ts'

const SUFFIX = '.log'

/** The logs cannot be printed. The message names the reason and the next step. */
export class LogsError extends Error {
  override name = 'LogsError'
}

/**
 * Prints the wanted lines of the log files in a folder. Returns the number of lines.
 *
 * @param signal ends `follow`
 * @throws LogsError when no cluster has written logs, or no instance has the name
 */
export async function printLogs(
  { filter, follow, json }: Options,
  { folder, out, signal }: { folder: string; out: NodeJS.WritableStream; signal: AbortSignal },
): Promise<{ lines: number; requests: Set<string> }> {
  const opened = new Map<string, LogFile>()
  const requests = new Set<string>()
  let lines = 0

  function listFiles(): LogFile[] {
    for (const name of namesIn(folder)) {
      if (opened.has(name) || !isChosen(name, filter.instances)) continue
      opened.set(name, openLogFile(join(folder, name + SUFFIX), name, filter.id))
    }
    return [...opened.values()]
  }

  async function print(line: LogLine): Promise<void> {
    // A program reads each line as JSON.
    if (json && !line.fields) return
    lines += 1
    const request = line.fields?.['request']
    if (filter.id !== undefined && typeof request === 'string') requests.add(request)
    const isAccepted = out.write(`${json ? line.text : formatLine(line)}\n`)
    if (!isAccepted && !signal.aborted) await once(out, 'drain', { signal }).catch(() => undefined)
  }

  const names = namesIn(folder)
  if (names.length === 0) {
    throw new LogsError(`no cluster was started here: ${folder} has no logs; start one: pnpm start`)
  }
  const unknown = filter.instances.find((each) => !names.some((name) => isChosen(name, [each])))
  if (unknown !== undefined && !follow) {
    throw new LogsError(`no instance is named ${unknown}: there is ${names.join(', ')}`)
  }
  try {
    for await (const line of mergeByTime(listFiles(), filter)) {
      await print(line)
      if (signal.aborted) break
    }
    if (follow) for await (const line of followByTime(listFiles, filter, signal)) await print(line)
    return { lines, requests }
  } finally {
    for (const file of opened.values()) await file[Symbol.asyncDispose]()
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((file) => file.endsWith(SUFFIX))
      .map((file) => file.slice(0, -SUFFIX.length))
      .toSorted((a, b) => a.localeCompare(b))
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return []
    throw error
  }
}

/** The file of the edge, which is one process, is `edge`, and the name in its lines is `edge-1`. */
function isChosen(name: string, chosen: readonly string[]): boolean {
  const isNamed = (each: string) =>
    each === name || each === `${name}-1` || name.startsWith(`${each}-`)
  return chosen.length === 0 || chosen.some(isNamed)
}
