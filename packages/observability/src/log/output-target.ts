import { constants, fstatSync, openSync, writeSync } from 'node:fs'
import { isatty } from 'node:tty'

/** How long the exit of a process waits for a reader, in ms. */
export const EXIT_MS = 500
const POLL_MS = 10

/**
 * Writes text before the process exits. Waits for a slow reader at most 500 ms, and ignores a reader
 * that has ended and a disk that is full.
 */
export function writeBeforeExit(fd: number, text: string): void {
  const target = openTarget(fd)
  const deadlineMs = performance.now() + EXIT_MS
  let rest = Buffer.from(text)
  while (rest.length > 0) {
    const written = writeBefore(deadlineMs, target.fd, rest)
    if (written === 0) return
    rest = rest.subarray(written)
  }
}

/** Returns the number of bytes written: 0 after the deadline and on an error other than EAGAIN. */
export function writeBefore(deadlineMs: number, fd: number, bytes: Buffer): number {
  for (;;) {
    try {
      return writeSync(fd, bytes)
    } catch (error) {
      const isFull = error instanceof Error && 'code' in error && error.code === 'EAGAIN'
      if (!isFull || performance.now() > deadlineMs) return 0
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, POLL_MS)
    }
  }
}

/** Returns the descriptor to write to, and whether a write to it can block. */
export function openTarget(fd: number): { fd: number; blocks: boolean } {
  try {
    const stat = fstatSync(fd)
    if (stat.isFIFO() || stat.isSocket()) {
      // The stream object of Node.js sets a pipe to non-blocking mode. It is not used to write.
      const stream = fd === 2 ? process.stderr : process.stdout
      return { fd, blocks: !stream.writable }
    }
    if (isatty(fd) && process.platform === 'linux') {
      // A separate file description does not change the mode for other programs on the terminal.
      const flags = constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY
      return { fd: openSync(`/proc/self/fd/${fd}`, flags), blocks: false }
    }
  } catch {
    // A closed descriptor, or the terminal of another user: a thread writes to it.
  }
  return { fd, blocks: true }
}
