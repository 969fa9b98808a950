interface Waiting<In, Out> {
  item: In
  resolve: (answer: Out) => void
  reject: (error: unknown) => void
}

/**
 * Collects the items of one tick, at most `max` of them, and handles them together: all reads of a
 * request, and of 64 requests whose answers arrived together, are one round trip.
 */
export function createGathering<In>(max: number, handle: (items: In[]) => void) {
  let waiting: In[] = []

  /** Handles what is collected now, so that a later item is not handled with it. */
  function flush(): void {
    const items = waiting
    waiting = []
    if (items.length > 0) handle(items)
  }

  function add(item: In): void {
    if (waiting.length === 0) process.nextTick(flush)
    waiting.push(item)
    if (waiting.length === max) flush()
  }

  return { add, flush }
}

/**
 * Runs the calls of one tick together, at most `max` of them.
 *
 * @param run answers to the items, in their order
 */
export function createBatch<In, Out>(
  max: number,
  run: (items: In[]) => Promise<Out[]>,
): (item: In) => Promise<Out> {
  const { add } = createGathering<Waiting<In, Out>>(max, (batch) => void settle(batch))

  async function settle(batch: Waiting<In, Out>[]) {
    try {
      const answers = await run(batch.map(({ item }) => item))
      for (let i = 0; i < batch.length; i += 1) {
        const answer = answers[i]
        if (answer === undefined) throw new TypeError('the batch was not answered whole')
        batch[i]?.resolve(answer)
      }
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
  }

  return (item) => new Promise((resolve, reject) => add({ item, resolve, reject }))
}
