import { setTimeout as pause } from 'node:timers/promises'
import { createDeadlines, createRenewedLeases } from '@repo/concurrency'
import { CacheError, toCacheError } from '../errors.ts'
import { type createCodec, type Decoded, encodeValue, type Represented } from './codec.ts'
import type { MemoryWriter, Ticket } from './memory-level.ts'
import type { Notices } from './notices.ts'
import type { CacheOptions, Settings } from './options.ts'
import { chunksOf, type Claim, CLAIMS } from './redis-writes.ts'
import type { Reading, Stats, Store } from './types.ts'

export interface LoadsOptions<T> {
  settings: Settings<T>
  store: Store
  codec: ReturnType<typeof createCodec<T>>
  writer: MemoryWriter<T>
  claims: ReturnType<typeof createLoadClaims>
  stats: Stats
  notices: Notices
  /** Loads a value again in the background. */
  refresh: (key: string) => void
}

/** The outcome of a load. */
export type Loaded<T> =
  | { outcome: 'value'; value: T | undefined }
  /** The loader failed; `bridge` may be served instead. */
  | { outcome: 'failed'; error: unknown; bridge: Decoded<T> | undefined }
  /** Redis was unavailable, and nothing was loaded. */
  | { outcome: 'unavailable'; error: CacheError }
  /** Another caller is refreshing the value. */
  | { outcome: 'busy' }

/** A reply of the second level; `found`: the value, if this release can read it. */
export interface Answer<T> {
  reading: Reading
  found: Decoded<T> | undefined
}

type Claimed = Extract<Reading, { outcome: 'claimed' }>

/** Gets a value that memory does not have: from Redis, or from the source under a claim. */
export function createLoads<T>(options: LoadsOptions<T>) {
  const { settings, store, codec, writer, claims, stats, notices } = options
  const { ttlMs, negativeTtlMs, staleMs, failSafeMs, loadTimeoutMs } = settings
  const runLoader = createLoaderRuns(settings.load, loadTimeoutMs)

  function toAnswer(key: string, reading: Reading): Answer<T> {
    const found = reading.outcome === 'hit' ? codec.decode(reading.value, key) : undefined
    return { reading, found }
  }

  /** Whether the answer is a fresh value. It is then in memory too, unless an invalidation arrived. */
  function serveFresh(ticket: Ticket, { reading, found }: Answer<T>): boolean {
    if (!found || reading.outcome !== 'hit' || found.freshUntilMs <= reading.nowMs) return false
    writer.writeStored(ticket, found, reading.nowMs)
    stats.storeHits += 1
    return true
  }

  /**
   * Gets a value from Redis or the source.
   * @param mode `refresh`: only if the stored value is no longer fresh
   * @param answer of the second level, if it has replied already
   */
  async function fetch(
    ticket: Ticket,
    mode: 'read' | 'refresh',
    answer?: Answer<T>,
  ): Promise<Loaded<T>> {
    const { key } = ticket
    const giveUpAtMs = performance.now() + loadTimeoutMs
    for (let waitMs = 2; ; waitMs = Math.min(waitMs * 2, 50)) {
      const read =
        answer ?? (await store.read(key).then((reading) => toAnswer(key, reading), toCacheError))
      answer = undefined
      if (read instanceof CacheError) return { outcome: 'unavailable', error: read }
      let reading: Reading | CacheError = read.reading
      let bridge: Decoded<T> | undefined
      if (reading.outcome === 'hit') {
        const { nowMs } = reading
        const { found } = read
        if (found) {
          writer.writeStored(ticket, found, nowMs)
          const freshMs = found.freshUntilMs - nowMs
          if (freshMs > 0 || (mode === 'read' && freshMs + staleMs > 0)) {
            stats.storeHits += 1
            if (freshMs <= 0) options.refresh(key)
            return { outcome: 'value', value: found.value }
          }
          if (freshMs + staleMs + failSafeMs > 0) bridge = found
        }
        reading = await store.claim(key).catch(toCacheError)
        if (reading instanceof CacheError) return { outcome: 'unavailable', error: reading }
      }
      if (reading.outcome === 'claimed') return load(ticket, reading, bridge)
      if (reading.outcome === 'held') return load(ticket, undefined, bridge)
      if (mode === 'refresh') return { outcome: 'busy' }
      // I6: another instance loads the value, and prolongs its claim while it runs.
      if (performance.now() >= giveUpAtMs) return load(ticket, undefined, bridge)
      stats.waits += 1
      await pause(waitMs)
    }
  }

  /** Loads from the source. The value is stored only if its claim is still valid then. */
  async function load(
    ticket: Ticket,
    claimed: Claimed | undefined,
    bridge: Decoded<T> | undefined,
  ): Promise<Loaded<T>> {
    const { key } = ticket
    const stopProlonging = claimed && claims.hold(key, claimed.token)
    stats.loads += 1
    try {
      const loaded = await runLoader(key)
      const represented = codec.represent(loaded, key)
      if (claimed) await storeLoaded(ticket, represented, claimed)
      return { outcome: 'value', value: represented.value }
    } catch (error) {
      stats.loadFailures += 1
      if (error instanceof CacheError && error.code === 'unserialisable') {
        notices.note('unserialisable', error)
      }
      if (claimed) release(key, claimed.token)
      return { outcome: 'failed', error, bridge }
    } finally {
      stopProlonging?.()
    }
  }

  async function storeLoaded(ticket: Ticket, represented: Represented<T>, claimed: Claimed) {
    const { key } = ticket
    const isAbsent = represented.text === undefined
    const freshMs = Math.round(writer.spread(isAbsent ? negativeTtlMs : ttlMs))
    if (freshMs <= 0) return release(key, claimed.token)
    let encoded
    try {
      encoded = codec.encode(represented, key)
    } catch (error) {
      if (!(error instanceof CacheError) || error.code !== 'too-large') throw error
      stats.tooLarge += 1
      notices.note('too-large', error)
      return release(key, claimed.token)
    }
    const bridgeMs = isAbsent ? 0 : staleMs + failSafeMs
    const fill = {
      token: claimed.token,
      lifeMs: freshMs + bridgeMs,
      value: encodeValue(encoded, claimed.version, claimed.nowMs + freshMs),
    }
    const stored = await store.commit(key, fill).catch(toCacheError)
    if (stored === true) writer.writeLoaded(ticket, encoded, Number(claimed.version), freshMs)
    else stats.refused += 1
    if (stored instanceof CacheError) notices.note('not-stored', stored)
  }

  function release(key: string, token: string) {
    // If this fails, other callers wait until the claim ends by itself.
    store.release(key, token).catch(() => (stats.refused += 1))
  }

  return { fetch, load, toAnswer, serveFresh }
}

/** Scripts in flight that prolong claims: more would occupy Redis for others. */
const SCRIPTS = 4

/**
 * Prolongs the claims of loads that take long. No other instance loads the same key while this process
 * runs (I6). A load that ends before the first turn costs nothing.
 */
export function createLoadClaims(
  store: Pick<Store, 'extend'>,
  claimMs: number,
  onError: () => void,
) {
  const leases = createRenewedLeases<Claim>({
    task: 'cache.renew-claims',
    async renew(claims) {
      for (const chunks of chunksOf(chunksOf([...claims], CLAIMS), SCRIPTS)) {
        // If it fails, the claims end and other instances load the values too.
        await Promise.all(chunks.map((chunk) => store.extend(chunk).catch(onError)))
      }
    },
  })

  return {
    /** Returns a function that stops prolonging the claim. */
    hold: (key: string, token: string) => leases.hold({ key, token }, claimMs),
  }
}

/** The signal of one load, which is created only if the loader reads it. */
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
 * Runs a loader for at most `timeoutMs` of time in which this process runs. All loads share one timer.
 * @throws CacheError `load-timeout`, or the error of the loader
 */
function createLoaderRuns<T>(load: CacheOptions<T>['load'], timeoutMs: number) {
  const deadlines = createDeadlines({ ms: timeoutMs })

  return function runLoader(key: string): Promise<T | undefined> {
    const context = new LoadContext()
    let loaded: Promise<T | undefined>
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
