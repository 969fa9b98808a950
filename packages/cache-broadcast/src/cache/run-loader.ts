import { createDeadlines } from '@repo/concurrency'
import { CacheError } from '../errors.ts'

type Load<T> = (key: string, context: { readonly signal: AbortSignal }) => Promise<T>

/** The signal of one load, which is made only if the loader reads it. */
class LoadContext {
  #controller: AbortController | undefined

  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    return this.#controller.signal
  }

  abort(error: CacheError): CacheError {
    this.#controller?.abort(error)
    return error
  }
}

/**
 * Runs a loader for at most `timeoutMs`, in which only time counts in which this process ran. All
 * loads share one timer.
 * @throws CacheError `load-timeout`; else what the loader throws
 */
export function createLoaderRuns<T>(load: Load<T>, timeoutMs: number): (key: string) => Promise<T> {
  const deadlines = createDeadlines({ ms: timeoutMs })

  return function runLoader(key) {
    const context = new LoadContext()
    let loaded: Promise<T>
    try {
      loaded = Promise.resolve(load(key, context))
    } catch (error) {
      return Promise.reject(error)
    }
    return deadlines.run(loaded, () => {
      const message = `"${key}" was not loaded within ${timeoutMs} ms`
      return context.abort(new CacheError('load-timeout', message))
    })
  }
}
