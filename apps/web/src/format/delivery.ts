import type { Delivery } from '@repo/api'

/** Describes which instances have applied a change. */
export function describeDelivery(delivery: Delivery): string {
  if (delivery.outcome === 'pending') {
    return 'The change is stored. Every instance receives it when Redis is available again.'
  }
  const { acked, lapsed, failed, ms } = delivery
  const missing = [...lapsed, ...failed]
  const total = acked.length + missing.length
  const applied = `Applied on ${acked.length} of ${total} instances in ${Math.max(1, Math.round(ms))} ms.`
  if (missing.length === 0) return applied
  return `${applied} Not confirmed by ${missing.join(', ')}, which read the new value before they use their cache again.`
}
