import type { Need } from '../store.ts'

/** The most counts of a batch: each is named by a byte that is the same in UTF-8. */
export const MAX_COUNTS = 124

const SLOTS = 512

/** A count of a batch; the objects are used again for the next one. */
export interface Place {
  prefix: string
  id: string
  /** The group that first asked for it, and where it is there, both from 1. */
  group: number
  at: number
  /** The entry that takes of it alone, and of which limit; -1 for none. */
  entry: number
  limit: number
}

/**
 * Finds the counts of a batch by their names, so that none is in it twice: each would be read, charged
 * and written as if the other were not there. A table of its own, which is neither made anew nor
 * emptied for a batch, for a Map of a hundred names cost a third of the whole client.
 */
export function createPlaces() {
  const places: Place[] = []
  /** At a slot the number of the batch and of the place; of an earlier batch it is empty. */
  const slots = new Float64Array(SLOTS)
  let base = 0
  let size = 0

  function placeOf(prefix: string, id: string): Place {
    const at = size
    size += 1
    const place = (places[at] ??= { prefix, id, group: 0, at: 0, entry: -1, limit: 0 })
    place.prefix = prefix
    place.id = id
    place.group = 0
    place.entry = -1
    return place
  }

  return {
    /** Forgets all. */
    begin() {
      base += MAX_COUNTS
      size = 0
    },
    /** Of a count that is new to the batch the group is 0. */
    find({ prefix, id }: Need): Place {
      for (let slot = slotOf(id); ; slot = (slot + 1) & (SLOTS - 1)) {
        const held = (slots[slot] ?? 0) - base
        if (held < 0) {
          slots[slot] = base + size
          return placeOf(prefix, id)
        }
        const place = places[held]
        if (place?.id === id && place.prefix === prefix) return place
      }
    },
  }
}

/** Of the last letters, where names of one kind differ; who makes them alike costs some ten µs. */
function slotOf(id: string): number {
  let hash = id.length
  for (let i = id.length - 1, end = i < 12 ? 0 : i - 11; i >= end; i -= 1) {
    hash = (hash * 31 + id.charCodeAt(i)) | 0
  }
  return hash & (SLOTS - 1)
}
