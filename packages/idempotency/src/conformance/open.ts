import { createHash, randomBytes } from 'node:crypto'
import { afterEach } from 'vitest'
import type { Begun, Claim, Completed, IdempotencyStore, Transaction } from '../store.ts'

/** A store on which each test opens its claims. Keys are random, so tests can share the data. */
export interface OpenedStore {
  readonly store: IdempotencyStore
  /** The store of another instance with the same data. A store in memory returns no such store. */
  readonly beside?: IdempotencyStore
  /** Removes all data of this claim, as a loss of memory does. A durable store returns no such function. */
  readonly forget?: (claim: Claim) => Promise<unknown>
  /** A write of the business in a transaction of the store. */
  readonly writeEffect?: (tx: Transaction, effect: string) => Promise<unknown>
  /** The number of committed writes of this effect. */
  readonly countEffects?: (effect: string) => Promise<number>
  readonly close?: () => Promise<unknown>
}

export type OpenStore = () => Promise<OpenedStore>

/** Which tests apply to a store. */
export interface StoreTraits {
  /** `leases`: a claim is held until its lease ends. `locks`: it is held while its transaction runs. */
  readonly claims: 'leases' | 'locks'
  /** Whether several instances share the data: `open` then returns `beside`. */
  readonly isShared: boolean
  /** Whether the store can lose its memory: `open` then returns `forget`. */
  readonly canForget: boolean
  /** Whether work can commit with its record: `open` then returns `writeEffect` and `countEffects`. */
  readonly hasTransactions: boolean
}

export const LEASE_MS = 60_000
export const TTL_MS = 3_600_000

const digest = (text: string) => createHash('sha256').update(text).digest('base64url')

/** A claim of a new key, or of the key of another claim. */
export function newClaim({ id, body = 'body' }: { id?: string; body?: string } = {}): Claim {
  return {
    id: id ?? digest(randomBytes(16).toString('hex')),
    fingerprint: digest(body),
    token: randomBytes(16).toString('base64url'),
  }
}

/** The next attempt of the same request. */
export function again({ id, fingerprint }: Claim): Claim {
  return { ...newClaim({ id }), fingerprint }
}

/** Stores a record as an attempt does: within a transaction if the store requires one. */
export async function finish(
  store: IdempotencyStore,
  claim: Claim,
  record: Buffer,
  ttlMs = TTL_MS,
): Promise<Completed | { outcome: 'pending' | 'mismatch' }> {
  if (!store.needsTransaction) return store.complete(claim, record, ttlMs)
  const work = async () => ({ record, result: undefined })
  const finished = await requireTransactions(store)(claim, { leaseMs: LEASE_MS, ttlMs }, work)
  return finished.outcome === 'committed' ? { outcome: 'stored' } : finished
}

const NOT_FOUND = new Error('no other attempt has this key')

async function failToFind(): Promise<never> {
  throw NOT_FOUND
}

/** Finds what an attempt finds: by its claim, or in its transaction if the claim is a lock of it. */
export async function find(
  store: IdempotencyStore,
  claim: Claim,
  { claims }: StoreTraits,
): Promise<Begun> {
  if (claims === 'leases') return store.begin(claim, LEASE_MS)
  const times = { leaseMs: LEASE_MS, ttlMs: TTL_MS }
  try {
    const found = await requireTransactions(store)(claim, times, failToFind)
    if (found.outcome !== 'committed' && found.outcome !== 'lost') return found
    throw new Error(`a transaction without work has the outcome ${found.outcome}`)
  } catch (error) {
    if (error !== NOT_FOUND) throw error
    return { outcome: 'claimed', attempt: 1 }
  }
}

/** The transactions of a store that has them. */
export function requireTransactions(store: IdempotencyStore) {
  if (!store.transaction) throw new Error(`the store ${store.name} must have transactions`)
  return store.transaction.bind(store)
}

/** Opens stores for the tests of a suite, and closes them after each test. */
export function opening(openStore: OpenStore) {
  const closing: (() => Promise<unknown>)[] = []
  afterEach(async () => {
    for (const close of closing.splice(0)) await close()
  })
  return async function open() {
    const opened = await openStore()
    if (opened.close) closing.push(opened.close)
    const { store } = opened
    return {
      store,
      /** The store of another instance, or the same one in memory. */
      other: opened.beside ?? store,
      forget: (claim: Claim) => required(opened.forget, 'forget')(claim),
      writeEffect: (tx: Transaction, effect: string) =>
        required(opened.writeEffect, 'writeEffect')(tx, effect),
      countEffects: (effect: string) => required(opened.countEffects, 'countEffects')(effect),
    }
  }
}

export type Open = ReturnType<typeof opening>

function required<T>(part: T | undefined, name: string): T {
  if (part === undefined) throw new Error(`open must return ${name} for this store`)
  return part
}

/** Waits until each lease of 1 ms that has begun has ended, by the clock of the store: a later one has. */
export async function passShortLeases(store: IdempotencyStore): Promise<void> {
  const later = newClaim()
  await store.begin(later, 1)
  await beginAfterLease(store, again(later), 1)
}

/** Begins until the claim is decided otherwise than as pending: the lease of its holder has ended. */
export async function beginAfterLease(store: IdempotencyStore, claim: Claim, leaseMs = LEASE_MS) {
  for (;;) {
    const begun = await store.begin(claim, leaseMs)
    if (begun.outcome !== 'pending') return begun
    await new Promise((resolve) => setTimeout(resolve, Math.min(begun.retryAfterMs, 20)))
  }
}
