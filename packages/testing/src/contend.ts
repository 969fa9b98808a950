/** Starts `n` calls in the same tick, and returns how each of them ended, in order. */
export function contend<T>(
  n: number,
  call: (index: number) => T | Promise<T>,
): Promise<PromiseSettledResult<T>[]> {
  return Promise.allSettled(Array.from({ length: n }, (_, index) => Promise.try(call, index)))
}
