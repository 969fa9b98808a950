import type { Delivery } from '@repo/api'

/** How far a change got, in words. */
export function describeDelivery(delivery: Delivery): string {
  if (delivery.outcome === 'pending') {
    return 'It is kept, and every instance is told as soon as Redis is back.'
  }
  const { acked, lapsed, failed, ms } = delivery
  const silent = [...lapsed, ...failed]
  const all = acked.length + silent.length
  const shown = `Shown by ${acked.length} of ${all} instances after ${Math.max(1, Math.round(ms))} ms.`
  if (silent.length === 0) return shown
  return `${shown} Not heard from: ${silent.join(', ')}, which will ask before showing anything kept.`
}
