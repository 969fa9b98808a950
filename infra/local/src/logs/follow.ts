import { setTimeout as wait } from 'node:timers/promises'
import type { LogFile } from './log-file.ts'
import type { LogLine } from './log-line.ts'
import { wantedLines } from './merge.ts'
import type { Filter } from './options.ts'

const POLL_MS = 100
/** Instances collect lines for up to 10 ms. A line that is older is in its file. */
const SETTLED_MS = 200

/**
 * Yields the wanted lines that are added to the files, in the order of their time, until `signal`
 * aborts. Files that appear later, or that a cluster writes after it has started again, are read too.
 *
 * @param listFiles returns the files: the same objects in each call, and new ones
 */
export async function* followByTime(
  listFiles: () => readonly LogFile[],
  filter: Filter,
  signal: AbortSignal,
): AsyncGenerator<LogLine> {
  let waiting: LogLine[] = []
  while (!signal.aborted) {
    const beganMs = Date.now()
    for (const file of listFiles()) {
      for await (const line of wantedLines(file, filter)) waiting.push(line)
    }
    waiting.sort((a, b) => a.timeMs - b.timeMs)
    const isSettled = ({ timeMs }: LogLine) => timeMs <= beganMs - SETTLED_MS
    yield* waiting.filter(isSettled)
    waiting = waiting.filter((line) => !isSettled(line))
    await wait(POLL_MS, undefined, { signal }).catch(() => undefined)
  }
  yield* waiting
}
