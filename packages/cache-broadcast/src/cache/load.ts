import { setTimeout as pause } from 'node:timers/promises'
import { CacheError, toCacheError } from '../errors.ts'
import type { Reading, Store } from '../link.ts'
import type { createCodec, Decoded, Represented } from './codec.ts'
import type { Ticket } from './fences.ts'
import type { Keeper } from './keeper.ts'
import type { createClaims } from './load-claims.ts'
import type { Notices } from './notices.ts'
import type { Settings } from './options.ts'
import { createLoaderRuns } from './run-loader.ts'
import type { Stats } from './stats.ts'
import { encodeValue } from './value.ts'

export interface LoadingOptions<T> {
  settings: Settings<T>
  store: Store
  codec: ReturnType<typeof createCodec<T>>
  keeper: Keeper<T>
  claims: ReturnType<typeof createClaims>
  stats: Stats
  notices: Notices
  /** Serves a value and has it loaded anew behind. */
  refresh: (key: string) => void
}

/** What a load came to. */
export type Loaded<T> =
  | { outcome: 'value'; value: T | undefined }
  /** The loader failed; `bridge` may be served instead. */
  | { outcome: 'failed'; error: unknown; bridge: Decoded<T> | undefined }
  /** Redis did not answer: nothing was loaded. */
  | { outcome: 'away'; error: CacheError }
  /** Somebody else is refreshing it. */
  | { outcome: 'busy' }

/** An answer of the second level; `found`: the value, if it can be read. */
export interface Answer<T> {
  reading: Reading
  found: Decoded<T> | undefined
}

type Claimed = Extract<Reading, { outcome: 'claimed' }>

/** Gets what is not in the first level: from the second, or from the source under a claim. */
export function createLoading<T>(options: LoadingOptions<T>) {
  const { settings, store, codec, keeper, claims, stats, notices } = options
  const { ttlMs, negativeTtlMs, staleMs, failSafeMs, loadTimeoutMs } = settings
  const runLoader = createLoaderRuns(settings.load, loadTimeoutMs)

  function readOf(key: string, reading: Reading): Answer<T> {
    const found = reading.outcome === 'hit' ? codec.decode(reading.value, key) : undefined
    return { reading, found }
  }

  /** Whether the answer is a fresh value, which is then in the first level too. */
  function serveFresh(ticket: Ticket, { reading, found }: Answer<T>): boolean {
    if (!found || reading.outcome !== 'hit' || found.freshUntilMs <= reading.nowMs) return false
    keeper.keepStored(ticket, found, reading.nowMs)
    stats.storeHits += 1
    return true
  }

  /**
   * From the second level or the source; `refresh`: only if what is there is no longer fresh.
   * @param answer of the second level, where there is one already
   */
  async function fetch(
    ticket: Ticket,
    mode: 'read' | 'refresh',
    answer?: Answer<T>,
  ): Promise<Loaded<T>> {
    const { key } = ticket
    const giveUpAtMs = performance.now() + loadTimeoutMs
    for (let waitMs = 2; ; waitMs = Math.min(waitMs * 2, 50)) {
      const read = answer ?? (await store.read(key).then((it) => readOf(key, it), toCacheError))
      answer = undefined
      if (read instanceof CacheError) return { outcome: 'away', error: read }
      let reading: Reading | CacheError = read.reading
      let bridge: Decoded<T> | undefined
      if (reading.outcome === 'hit') {
        const { nowMs } = reading
        const { found } = read
        if (found) {
          keeper.keepStored(ticket, found, nowMs)
          const freshMs = found.freshUntilMs - nowMs
          if (freshMs > 0 || (mode === 'read' && freshMs + staleMs > 0)) {
            stats.storeHits += 1
            if (freshMs <= 0) options.refresh(key)
            return { outcome: 'value', value: found.value }
          }
          if (freshMs + staleMs + failSafeMs > 0) bridge = found
        }
        reading = await store.claim(key).catch(toCacheError)
        if (reading instanceof CacheError) return { outcome: 'away', error: reading }
      }
      if (reading.outcome === 'claimed') return load(ticket, reading, bridge)
      if (reading.outcome === 'held') return load(ticket, undefined, bridge)
      if (mode === 'refresh') return { outcome: 'busy' }
      // I6: another instance loads it, and prolongs its claim as long as it lives.
      if (performance.now() >= giveUpAtMs) return load(ticket, undefined, bridge)
      stats.waits += 1
      await pause(waitMs)
    }
  }

  /** From the source; stored only under a claim that still stands when it is there. */
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
      if (claimed) giveUp(key, claimed.token)
      return { outcome: 'failed', error, bridge }
    } finally {
      stopProlonging?.()
    }
  }

  async function storeLoaded(ticket: Ticket, represented: Represented<T>, claimed: Claimed) {
    const { key } = ticket
    const isNothing = represented.text === undefined
    const lifeMs = keeper.spread(isNothing ? negativeTtlMs : ttlMs)
    const freshMs = Math.round(lifeMs)
    if (freshMs <= 0) return giveUp(key, claimed.token)
    let encoded
    try {
      encoded = codec.encode(represented, key)
    } catch (error) {
      if (!(error instanceof CacheError) || error.code !== 'too-large') throw error
      stats.tooLarge += 1
      notices.note('too-large', error)
      return giveUp(key, claimed.token)
    }
    const bridgeMs = isNothing ? 0 : staleMs + failSafeMs
    const fill = {
      token: claimed.token,
      lifeMs: freshMs + bridgeMs,
      value: encodeValue(encoded, claimed.version, claimed.nowMs + freshMs),
    }
    const stored = await store.commit(key, fill).catch(toCacheError)
    if (stored === true) keeper.keepLoaded(ticket, encoded, Number(claimed.version), freshMs)
    else stats.refused += 1
    if (stored instanceof CacheError) notices.note('not-stored', stored)
  }

  function giveUp(key: string, token: string) {
    // Untold, the others wait until the claim ends by itself.
    store.release(key, token).catch(() => (stats.refused += 1))
  }

  return { fetch, load, readOf, serveFresh }
}
