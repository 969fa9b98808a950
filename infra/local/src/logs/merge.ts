import type { LogFile } from './log-file.ts'
import { type LogLine, isWanted, readLine } from './log-line.ts'
import type { Filter } from './options.ts'

/** The time of the last line that was read of each file: a plain line can follow in the next poll. */
const lastMs = new WeakMap<LogFile, number>()

/** Yields the wanted lines of a file, from its current position to its end. */
export async function* wantedLines(file: LogFile, filter: Filter): AsyncGenerator<LogLine> {
  for await (const text of file.lines()) {
    const line = readLine(text, file.name, lastMs.get(file) ?? 0)
    lastMs.set(file, line.timeMs)
    if (isWanted(line, filter)) yield line
  }
}

/**
 * Yields the wanted lines of all files in the order of their time. Lines with the same time are in the
 * order of the files. It reads ahead one line of each file, so the size of the files does not matter.
 */
export async function* mergeByTime(
  files: readonly LogFile[],
  filter: Filter,
): AsyncGenerator<LogLine> {
  const sources = files.map((file) => wantedLines(file, filter))
  const heads = await Promise.all(sources.map((source) => source.next()))
  for (;;) {
    let earliest = -1
    for (let at = 0; at < heads.length; at += 1) {
      if (timeOf(heads[at]) < timeOf(heads[earliest])) earliest = at
    }
    const head = heads[earliest]
    const source = sources[earliest]
    if (!head || head.done || !source) return
    yield head.value
    heads[earliest] = await source.next()
  }
}

/** Infinity: there is no further line. */
function timeOf(head: IteratorResult<LogLine> | undefined): number {
  return head && !head.done ? head.value.timeMs : Infinity
}
