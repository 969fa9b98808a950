import { CacheError } from './errors.ts'

/**
 * Runs a loader for at most `timeoutMs`; its signal is made only if it is asked for.
 * @throws CacheError `load-timeout`; else what the loader throws
 */
export async function runLoader<T>(
  key: string,
  load: (key: string, context: { readonly signal: AbortSignal }) => Promise<T>,
  timeoutMs: number,
): Promise<T> {
  let controller: AbortController | undefined
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => {
    const error = new CacheError('load-timeout', `"${key}" was not loaded within ${timeoutMs} ms`)
    controller?.abort(error)
    reject(error)
  }, timeoutMs)
  try {
    const context = {
      get signal() {
        controller ??= new AbortController()
        return controller.signal
      },
    }
    return await Promise.race([load(key, context), promise])
  } finally {
    clearTimeout(timer)
  }
}
