interface Waiting<In, Out> {
  item: In
  resolve: (answer: Out) => void
  reject: (error: unknown) => void
}

/**
 * Gathers the calls of one tick into one run: all reads of a request, and of 64 requests whose
 * answers came together, are one round trip.
 *
 * @param run answers to the items, in their order
 */
export function createBatch<In, Out>(
  max: number,
  run: (items: In[]) => Promise<Out[]>,
): (item: In) => Promise<Out> {
  let waiting: Waiting<In, Out>[] = []

  function flush() {
    const batch = waiting
    waiting = []
    if (batch.length > 0) void settle(batch)
  }

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

  return (item) =>
    new Promise((resolve, reject) => {
      if (waiting.length === 0) process.nextTick(flush)
      waiting.push({ item, resolve, reject })
      if (waiting.length === max) flush()
    })
}
