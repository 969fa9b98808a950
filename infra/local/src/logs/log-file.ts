import { type FileHandle, open, stat } from 'node:fs/promises'

const BLOCK_BYTES = 262_144
/** A longer line is skipped, so that a damaged file needs no more memory than this. */
const MAX_LINE_BYTES = 1_048_576
const NEWLINE = 0x0a

/** Reads the lines of a file from its start to its current end, and later the lines that were added. */
export interface LogFile extends AsyncDisposable {
  /** The name of the instance that writes the file. */
  readonly name: string
  /** Yields the lines that are complete, without the newline. Memory is limited for any file. */
  lines(): AsyncGenerator<string>
}

/**
 * Opens the log file of an instance.
 *
 * @param containing yields only lines with this text. Parts of the file without it are not split
 */
export function openLogFile(path: string, name: string, containing?: string): LogFile {
  const needle = containing === undefined ? undefined : Buffer.from(containing)
  let file: FileHandle | undefined
  let identity = ''
  let offset = 0
  /** Begins with the beginning of a line whose end is not written yet. One for all reads of the file. */
  let buffer: Buffer | undefined
  let restBytes = 0
  let isSkipping = false

  async function close(): Promise<void> {
    await file?.close()
    file = undefined
  }

  /** A cluster that starts again writes new files of the same names. */
  async function openCurrent(): Promise<FileHandle | undefined> {
    try {
      const { ino, birthtimeMs, size } = await stat(path)
      const found = `${ino} ${birthtimeMs}`
      if (file && found === identity && size >= offset) return file
      await close()
      file = await open(path, 'r')
      identity = found
      offset = 0
      restBytes = 0
      isSkipping = false
    } catch {
      // The file was removed: the lines of the open one are still read.
    }
    return file
  }

  return {
    name,
    async *lines() {
      const current = await openCurrent()
      if (!current) return
      buffer ??= Buffer.allocUnsafeSlow(MAX_LINE_BYTES + BLOCK_BYTES)
      for (;;) {
        const { bytesRead } = await current.read(buffer, restBytes, BLOCK_BYTES, offset)
        if (bytesRead === 0) return
        offset += bytesRead
        const bytes = restBytes + bytesRead
        const end = buffer.lastIndexOf(NEWLINE, bytes - 1) + 1
        // The first newline ends the line that is skipped.
        const start = isSkipping && end > 0 ? buffer.indexOf(NEWLINE) + 1 : 0
        if (end > 0) isSkipping = false
        yield* linesIn(buffer.subarray(start, Math.max(start, end)), needle)
        restBytes = isSkipping ? 0 : bytes - end
        if (restBytes > MAX_LINE_BYTES) {
          restBytes = 0
          isSkipping = true
        }
        buffer.copyWithin(0, end, end + restBytes)
      }
    },
    [Symbol.asyncDispose]: close,
  }
}

function* linesIn(bytes: Buffer, needle: Buffer | undefined): Generator<string> {
  let from = 0
  while (from < bytes.length) {
    if (needle) {
      const found = bytes.indexOf(needle, from)
      if (found === -1) return
      from = Math.max(from, bytes.lastIndexOf(NEWLINE, found) + 1)
    }
    const end = bytes.indexOf(NEWLINE, from)
    if (end === -1) return
    if (end > from) yield bytes.toString('utf8', from, end)
    from = end + 1
  }
}
