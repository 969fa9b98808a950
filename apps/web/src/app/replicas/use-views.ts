'use client'

import { useEffect, useState } from 'react'
import { type View, view as schema } from '../../api/view-schema.ts'

/** How many views are remembered. */
export const keptViews = 60
const pollMs = 2_000

async function serveOnce(): Promise<View | null> {
  try {
    const response = await fetch('/replicas/view', { signal: AbortSignal.timeout(5_000) })
    return schema.parse(await response.json())
  } catch (error) {
    // An instance that dies in the middle of an answer is what this page is here to show.
    console.info('This view was not served', error)
    return null
  }
}

/** The last views of this page, oldest first, and the ways to have it served again. */
export function useViews(first: View, liveAtFirst: boolean) {
  const [views, setViews] = useState([first])
  const [missed, setMissed] = useState(false)
  const [serving, setServing] = useState(false)
  const [live, setLive] = useState(liveAtFirst)
  const [polls, setPolls] = useState(0)

  async function serveNext() {
    const view = await serveOnce()
    setMissed(view === null)
    if (view) setViews((before) => [...before, view].slice(-keptViews))
  }

  async function serve(times: number) {
    setServing(true)
    for (let served = 0; served < times; served += 1) await serveNext()
    setServing(false)
  }

  useEffect(() => {
    if (!live) return
    // The next poll starts when this one is over: a slow cluster is not asked more often.
    const timer = setTimeout(() => {
      const polled = document.hidden ? Promise.resolve() : serveNext()
      void polled.finally(() => setPolls((before) => before + 1))
    }, pollMs)
    return () => clearTimeout(timer)
  }, [live, polls])

  return { views, latest: views.at(-1) ?? first, missed, serving, serve, live, setLive }
}
