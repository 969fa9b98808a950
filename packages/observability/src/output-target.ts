import { constants, fstatSync, openSync, writeSync } from 'node:fs'
import { isatty } from 'node:tty'

/** How long the exit of a process waits for a reader. */
export const EXIT_MS = 500
const POLL_MS = 10

/**
 * Writes text right before an exit: waits for a reader at most 500 ms, and ignores one that is
 * gone or a disk that is full.
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

/** Returns the number of bytes written; 0 after the deadline, and at an error other than EAGAIN. */
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

/** Where to write, and whether a write may block. */
export function openTarget(fd: number): { fd: number; blocks: boolean } {
  try {
    const stat = fstatSync(fd)
    if (stat.isFIFO() || stat.isSocket()) {
      // The stream object of Node.js puts a pipe into non-blocking mode; nothing is written by it.
      const stream = fd === 2 ? process.stderr : process.stdout
      return { fd, blocks: !stream.writable }
    }
    if (isatty(fd) && process.platform === 'linux') {
      // A separate file description leaves the terminal of other programs as it is.
      const flags = constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY
      return { fd: openSync(`/proc/self/fd/${fd}`, flags), blocks: false }
    }
  } catch {
    // A closed descriptor, or a terminal of another user: written in a thread, if at all.
  }
  return { fd, blocks: true }
}
