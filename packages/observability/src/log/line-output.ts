import { write, writeSync } from 'node:fs'
import { CHUNK_BYTES, createLineQueue } from './line-queue.ts'
import { EXIT_MS, openTarget, writeBefore } from './output-target.ts'

const MAX_BYTES = 4 * 1_024 * 1_024
/** The space that is reserved for fatal lines: the process ends after one. */
const FATAL_BYTES = 65_536
/** How long lines for a file or a device are collected, so that one write takes many. */
const GATHER_MS = 10
/** The delay after a write that failed: doubled from the first to the last. */
const FIRST_RETRY_MS = 2
const LAST_RETRY_MS = 250
/** Chunks that are written in one turn of the event loop. */
const CHUNKS_PER_TURN = 16

/** Writes lines to a file descriptor. It never blocks the process and never ends it. */
export interface LineOutput {
  /** Writes one whole line, which ends in a newline. Never blocks and never throws. */
  write(line: string): void
  /** As `write`, but the lines of one turn of the event loop leave the process together, in one call. */
  writeSoon(line: string): void
  /** Lines that were dropped because the buffer was full. */
  droppedLines(): number
  /** Bytes that wait for the reader. */
  bufferedBytes(): number
}

/**
 * Creates an output that writes lines to a file descriptor. Lines wait in a buffer while the
 * descriptor accepts no bytes: the pipe is full, the disk is full, or the reader has ended. A line
 * that does not fit into the buffer is dropped and counted. Writing continues when the descriptor
 * accepts bytes again. The rest of the buffer is written when the process exits, within 500 ms.
 *
 * sonic-boom, the default destination of pino, is not used. Its asynchronous write occupies a thread
 * of the pool while a pipe is full, and Node.js waits for that thread at exit. A closed
 * pipe or a full disk makes its `flushSync` repeat the write for ever.
 *
 * @param maxBytes the size of the buffer
 * @param onResume called when writing continues after lines were dropped, with their number
 */
export function createLineOutput({
  fd,
  maxBytes = MAX_BYTES,
  onResume = () => undefined,
}: {
  fd: number
  maxBytes?: number
  onResume?: (droppedLines: number) => void
}): LineOutput {
  const target = openTarget(fd)
  const queue = createLineQueue(maxBytes)
  let timer: NodeJS.Timeout | undefined
  let inFlight = false
  let isWritingSoon = false
  let retryMs = FIRST_RETRY_MS
  let dropped = 0
  let unreported = 0

  function schedule(ms: number) {
    timer ??= setTimeout(writeWaiting, ms).unref()
  }

  function writeWaiting() {
    timer = undefined
    // The only line that waited was larger than the buffer, and was dropped.
    if (queue.bytes === 0) return accepted()
    if (target.blocks) writeInThread()
    else writeNow()
  }

  /** The usual case: the line has left the process before `write` returns, so a crash loses none. */
  function writeAtOnce(line: string, bytes: number) {
    let written = 0
    try {
      written = writeSync(target.fd, line)
      if (written === bytes) return
      schedule(0)
    } catch {
      failed()
    }
    queue.push(line, bytes, FATAL_BYTES)
    queue.head()
    queue.advance(written)
  }

  /** For pipes and sockets: the descriptor does not block, so no thread is needed. */
  function writeNow() {
    try {
      for (let chunks = 0; queue.bytes > 0 && chunks < CHUNKS_PER_TURN; chunks += 1) {
        queue.advance(writeSync(target.fd, queue.head()))
        accepted()
      }
    } catch {
      return failed()
    }
    if (queue.bytes > 0) schedule(0)
  }

  function writeAtEndOfTurn() {
    if (!isWritingSoon) return
    isWritingSoon = false
    if (queue.bytes > 0) writeNow()
    else accepted()
  }

  /** For files and devices, which block while the disk or the terminal does. */
  function writeInThread() {
    if (inFlight) return
    inFlight = true
    write(target.fd, queue.head(), (error, written) => {
      inFlight = false
      if (error) return failed()
      queue.advance(written)
      accepted()
      if (queue.bytes >= CHUNK_BYTES) writeInThread()
      else if (queue.bytes > 0) schedule(GATHER_MS)
    })
  }

  /** EAGAIN, ENOSPC, EPIPE, EIO and others: each can pass, and none of them is fatal. */
  function failed() {
    schedule(retryMs)
    retryMs = Math.min(retryMs * 2, LAST_RETRY_MS)
  }

  function accepted() {
    retryMs = FIRST_RETRY_MS
    if (unreported === 0 || queue.bytes > maxBytes / 2) return
    const lines = unreported
    unreported = 0
    onResume(lines)
  }

  function enqueue(line: string, bytes: number) {
    // After one dropped line, all lines are dropped until half the buffer is free: one gap, not many.
    const isQueued = unreported === 0 && queue.push(line, bytes)
    if (isQueued || (isFatal(line) && queue.push(line, bytes, FATAL_BYTES))) return
    dropped += 1
    unreported += 1
  }

  process.once('exit', () => {
    // Node.js completes a write that still runs in a thread before the process ends.
    if (inFlight) queue.advance(queue.head().length)
    const deadlineMs = performance.now() + EXIT_MS
    while (queue.bytes > 0) {
      const written = writeBefore(deadlineMs, target.fd, queue.head())
      if (written === 0) return
      queue.advance(written)
      accepted()
    }
  })

  return {
    write(line) {
      const bytes = Buffer.byteLength(line)
      if (!target.blocks && queue.bytes === 0 && bytes <= maxBytes) return writeAtOnce(line, bytes)
      enqueue(line, bytes)
      // Earlier lines of this turn leave the process before this one.
      if (isWritingSoon) writeAtEndOfTurn()
      else if (!inFlight) schedule(GATHER_MS)
    },
    writeSoon(line) {
      if (target.blocks) {
        if (!inFlight) schedule(GATHER_MS)
      } else if (queue.bytes === 0 && !isWritingSoon) {
        isWritingSoon = true
        setImmediate(writeAtEndOfTurn)
      }
      enqueue(line, Buffer.byteLength(line))
    },
    droppedLines: () => dropped,
    bufferedBytes: () => queue.bytes,
  }
}

function isFatal(line: string): boolean {
  return line.startsWith('{"level":"fatal"')
}
