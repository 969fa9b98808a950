/**
 * Keeps the event loop of this thread from running, as a garbage collection or a limit of the
 * processor does: during this time no timer fires and no socket is read.
 */
export function blockEventLoop(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}
