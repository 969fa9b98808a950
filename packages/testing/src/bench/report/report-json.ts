import type { Comparison, Figure } from '../compare.ts'
import { NOTHING } from '../contender.ts'

const FIGURES: Figure[] = ['perSecond', 'clientUs', 'redisUs', 'p50Ms', 'p99Ms']

/** All figures of a comparison with their bounds, and their ratios to the peer. */
export function comparisonJson(comparison: Comparison) {
  const { title, peer, servers, contenders } = comparison
  return {
    title,
    peer,
    servers,
    contenders: contenders.map((name) => ({
      name,
      utilisation: comparison.utilisation(name),
      figures: Object.fromEntries(
        FIGURES.map((figure) => [figure, comparison.figure(name, figure)]),
      ),
      ...(name !== peer &&
        name !== NOTHING && {
          ratios: Object.fromEntries(
            FIGURES.map((figure) => [figure, comparison.ratio(name, figure)]),
          ),
        }),
    })),
  }
}
