/** Waits for a reply, and calls `onSilence` when there is none for so long. */
export async function watch<T>(reply: Promise<T>, ms: number, onSilence: () => void): Promise<T> {
  let settled = false
  const timer = setTimeout(() => {
    // Once more round the loop: after a stall the answer may be here already, unread.
    setImmediate(() => {
      if (!settled) onSilence()
    })
  }, ms)
  try {
    return await reply
  } finally {
    settled = true
    clearTimeout(timer)
  }
}
