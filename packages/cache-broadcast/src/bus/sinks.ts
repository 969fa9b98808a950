import type { Sink } from './link.ts'
import type { Message } from './message.ts'

/** Applies messages to the caches of this process. */
export function createSinks() {
  const sinks = new Set<Sink>()
  const tagged = new Set<string>()

  function sinksOf(cache: string): Sink[] {
    return [...sinks].filter((sink) => sink.cache === cache)
  }

  function isTagged({ caches = [] }: { caches?: string[] }, { cache }: Sink): boolean {
    return caches.includes(cache) || tagged.has(cache)
  }

  return {
    /** The caches of this process whose values have tags. */
    tagged,
    attach(sink: Sink): () => void {
      sinks.add(sink)
      // It stays until the process ends: values that a closed cache stored still have its tags.
      if (sink.hasTags) tagged.add(sink.cache)
      return () => void sinks.delete(sink)
    },
    apply(message: Message, n: number): void {
      switch (message.kind) {
        case 'keys':
          for (const sink of sinksOf(message.cache)) sink.drop(message.keys, n)
          break
        case 'soft':
          for (const sink of sinksOf(message.cache)) sink.soften(message.keys, n)
          break
        case 'clear':
          for (const sink of sinksOf(message.cache)) sink.clear(n)
          break
        case 'tags':
          for (const sink of sinks) sink.dropTags(message.tags, n, isTagged(message, sink))
          break
        case 'soft-tags':
          for (const sink of sinks) {
            sink.softenTags(message.tags, n, isTagged(message, sink), message.expireMs)
          }
          break
        case 'event':
        case 'left':
        case 'floor':
          break
      }
    },
    /** Drops everything that is older than n. */
    clear(n: number): void {
      for (const sink of sinks) sink.clear(n)
    },
  }
}
