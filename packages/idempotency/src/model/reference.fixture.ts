import type { Claim } from '../store.ts'

/** Whether a claim or a record is in the store. `ended`: its lease is over, and it may still be there. */
type Fact = 'no' | 'ended' | 'maybe' | 'yes'
type Kind = 'begin' | 'complete' | 'transaction' | 'renew' | 'release'

export interface Rules {
  /** What a loss of all data in Redis deletes. */
  flush: 'nothing' | 'claims' | 'all'
  /** The call that excludes other attempts: `begin`, or the transaction that holds the lock. */
  exclusive: 'begin' | 'transaction'
  /** What refuses a late holder: the claim of the next one, or only its record. */
  fence: 'claim' | 'record'
}

interface Holder {
  readonly claim: Claim
  readonly instance: number
  held: Fact
  stored: Fact
  /** The record may be absent where `begin` looks first. */
  isHidden: boolean
  /** An earlier call of the attempt failed: its effect is unknown. */
  isUnsure: boolean
}

interface Call {
  readonly kind: Kind
  readonly holder: Holder
  readonly allowed: Set<string>
  /** No lease ended and no claim was lost during the call. */
  isSure: boolean
  hasFault: boolean
}

/**
 * The model. It states which outcomes each call can have. A call takes effect at one moment between its
 * start and its end, so an outcome is right when the model allows it at any moment of the call.
 */
export class Reference {
  readonly violations: string[] = []
  readonly #rules: Rules
  readonly #holders = new Map<string, Holder>()
  readonly #calls = new Set<Call>()

  constructor(rules: Rules) {
    this.#rules = rules
  }

  start(kind: Kind, claim: Claim, instance: number): Call {
    const fresh: Holder = {
      claim,
      instance,
      held: 'no',
      stored: 'no',
      isHidden: false,
      isUnsure: false,
    }
    const holder = this.#holders.get(claim.token) ?? fresh
    this.#holders.set(claim.token, holder)
    const takes = kind === this.#rules.exclusive || (kind === 'renew' && holder.held === 'ended')
    if (takes || (kind === 'release' && holder.held === 'yes')) holder.held = 'maybe'
    if (kind === 'complete' || kind === 'transaction') holder.stored = 'maybe'
    const call: Call = { kind, holder, allowed: new Set(), isSure: true, hasFault: false }
    this.#calls.add(call)
    this.#observe()
    return call
  }

  /** The transaction of the claim has its lock. */
  lock(claim: Claim): void {
    const holder = this.#holders.get(claim.token)
    if (holder && this.#rules.exclusive === 'transaction') holder.held = 'yes'
    this.#observe()
  }

  end(call: Call, outcome: string): void {
    this.#observe()
    this.#calls.delete(call)
    const { kind, holder, allowed } = call
    if (!allowed.has(outcome)) {
      const list = [...allowed].join(' or ')
      this.violations.push(`${kind} returned ${outcome}; the model allows ${list}`)
    }
    const sure = call.isSure && !call.hasFault ? 'yes' : 'maybe'
    // With two stores, a call succeeds by one of them while its command to the other one is late.
    if (call.hasFault && this.#rules.flush === 'claims') holder.isUnsure = true
    if (kind === 'begin') {
      const claims = outcome === 'claimed' && this.#rules.exclusive === 'begin'
      holder.held = claims ? sure : 'no'
    } else if (kind === 'release' || kind === 'renew') {
      const isLate = holder.isUnsure || this.#hasCall(holder, ['begin', 'renew'])
      // A lock ends with its transaction, whatever is released afterwards.
      const isEnded = outcome === 'lost' || this.#rules.exclusive === 'begin'
      if (outcome !== 'renewed' && isEnded) holder.held = isLate ? 'maybe' : 'no'
    } else if (outcome === 'stored' || outcome === 'healed' || outcome === 'committed') {
      holder.stored = this.#rules.flush === 'all' ? sure : 'yes'
      // A copy in Redis can be absent, or the claim of another attempt can be in its place.
      holder.isHidden = this.#rules.flush === 'claims'
      holder.held = sure === 'yes' ? 'no' : 'maybe'
    } else {
      holder.stored = holder.isUnsure ? 'maybe' : 'no'
      holder.held = outcome === 'lost' || outcome === 'completed' ? 'no' : weaken(holder.held)
    }
    this.#observe()
  }

  /** The call failed. `isUndone`: it rolled its transaction back. */
  fail(call: Call, { isUndone = false } = {}): void {
    this.#calls.delete(call)
    const { holder, kind } = call
    if (kind !== 'renew') holder.held = weaken(holder.held)
    // The server rolls the transaction of a lost connection back a moment later.
    const isLock = kind === 'transaction' && this.#rules.exclusive === 'transaction'
    if (isLock) holder.held = isUndone && !call.hasFault ? 'no' : 'maybe'
    if (isUndone) holder.stored = holder.isUnsure ? 'maybe' : 'no'
    else holder.isUnsure = true
    this.#observe()
  }

  /** All leases end, except those that a call in flight may begin again. */
  expire(): void {
    for (const holder of this.#holders.values()) {
      if (holder.held === 'no') continue
      const isTaken = holder.isUnsure || this.#hasCall(holder, ['begin', 'renew'])
      const isLocked = this.#hasCall(holder, ['transaction'])
      if (this.#rules.exclusive === 'transaction') holder.held = isLocked ? 'maybe' : 'no'
      else holder.held = isTaken ? 'maybe' : 'ended'
    }
    this.#interrupt()
  }

  /** Redis loses all data. */
  flush(): void {
    const { flush } = this.#rules
    if (flush === 'nothing') return
    for (const holder of this.#holders.values()) {
      const hasCall = holder.isUnsure || this.#hasCall(holder)
      if (flush === 'all' && !hasCall) holder.held = holder.stored = 'no'
      else holder.held = weaken(holder.held)
      if (flush === 'all' && holder.stored === 'yes') holder.stored = 'maybe'
    }
    this.#interrupt()
  }

  /** The instance does not reach a store. With two stores its calls then use the other one. */
  fault(instance: number): void {
    for (const holder of this.#holders.values()) {
      if (holder.instance !== instance) continue
      holder.held = weaken(holder.held)
    }
    for (const call of this.#calls) if (call.holder.instance === instance) call.hasFault = true
    this.#observe()
  }

  /** The instance died: none of its calls takes effect from now on. */
  crash(instance: number): void {
    for (const call of this.#calls) {
      if (call.holder.instance !== instance) continue
      this.#calls.delete(call)
      if (this.#rules.exclusive === 'transaction') call.holder.held = 'no'
    }
    this.#observe()
  }

  /** Whether a completion of the key failed for good: its record may be absent. */
  isUndecided(id: string): boolean {
    return [...this.#holders.values()].some(
      ({ claim, isUnsure, stored }) => claim.id === id && isUnsure && stored === 'maybe',
    )
  }

  #hasCall(holder: Holder, kinds?: readonly Kind[]): boolean {
    return [...this.#calls].some(
      (call) => call.holder === holder && (kinds?.includes(call.kind) ?? true),
    )
  }

  #interrupt(): void {
    for (const call of this.#calls) call.isSure = false
    this.#observe()
  }

  #observe(): void {
    for (const call of this.#calls)
      for (const outcome of this.#allow(call)) call.allowed.add(outcome)
  }

  *#allow({ kind, holder, hasFault }: Call): Generator<string> {
    const { id, fingerprint } = holder.claim
    const others = [...this.#holders.values()].filter(
      (other) => other !== holder && other.claim.id === id,
    )
    const isSame = (other: Holder) => other.claim.fingerprint === fingerprint
    const stored = others.find((other) => other.stored === 'yes')
    const held = others.find((other) => other.held === 'yes')
    if (kind === 'release') yield 'released'
    if (kind === 'renew') {
      yield 'renewed'
      if (others.some(isUsed)) yield 'lost'
    }
    if (kind === 'begin') {
      if (this.#rules.exclusive === 'transaction') return yield 'claimed'
      if (stored) yield isSame(stored) ? 'completed' : 'mismatch'
      if (stored && !stored.isHidden) return
      const isElsewhere = hasFault && this.#rules.flush === 'claims'
      if (!stored && (!held || isElsewhere)) yield 'claimed'
      if (others.some((other) => isSame(other) && isLive(other))) yield 'pending'
      if (others.some((other) => isSame(other) && isStored(other))) yield 'completed'
      if ((!held || !isSame(held)) && others.some((other) => !isSame(other) && isUsed(other))) {
        yield 'mismatch'
      }
    }
    if (kind !== 'complete' && kind !== 'transaction') return
    const isFenced = stored ?? (this.#rules.fence === 'claim' && held)
    if (!isFenced) yield kind === 'complete' ? 'stored' : 'committed'
    if (!isFenced && kind === 'complete' && holder.held !== 'yes') yield 'healed'
    if (others.some(isUsed)) yield 'lost'
    if (others.some((other) => isSame(other) && isStored(other)) || holder.isUnsure)
      yield 'completed'
    if (kind === 'transaction') {
      if (others.some(isLive)) yield 'pending'
      if (others.some((other) => !isSame(other) && isUsed(other))) yield 'mismatch'
    }
  }
}

const isLive = ({ held }: Holder) => held === 'maybe' || held === 'yes'
const isUsed = (holder: Holder) => holder.held !== 'no' || isStored(holder)
const isStored = ({ stored }: Holder) => stored !== 'no'

function weaken(fact: Fact): Fact {
  return fact === 'yes' ? 'maybe' : fact
}
