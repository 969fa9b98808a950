import type { TargetSource } from '../upstream/upstream.ts'
import { createSteadySet } from './steady-set.ts'

/**
 * Creates a source of targets from lists that another part of the process receives anyway, such as
 * the announcements of a registry. An origin is removed when three lists in a row lack it.
 *
 * @param subscribe begins to call `onList` with each list of origins, and returns a function that ends
 * the calls
 */
export function createListSource(
  subscribe: (onList: (origins: readonly string[]) => void) => () => void,
): TargetSource {
  return {
    follow(update) {
      const note = createSteadySet()
      return subscribe((origins) => update(note(origins)))
    },
  }
}
