'use client'

import { useEffect, useState } from 'react'
import { type View, view as schema } from '../../api/view-schema.ts'

/** The maximum number of views on the page. */
export const keptViews = 60
const pollMs = 2_000

async function loadOnce(): Promise<View | null> {
  try {
    const response = await fetch('/replicas/view', { signal: AbortSignal.timeout(5_000) })
    return schema.parse(await response.json())
  } catch (error) {
    // The page shows what happens when an instance stops while it answers.
    console.info('The view did not load', error)
    return null
  }
}

/** The recent views of this page, oldest first, and functions that load more. */
export function useViews(first: View, isLiveAtFirst: boolean) {
  const [views, setViews] = useState([first])
  const [hasFailed, setFailed] = useState(false)
  const [isLoading, setLoading] = useState(false)
  const [isLive, setLive] = useState(isLiveAtFirst)
  const [polls, setPolls] = useState(0)

  async function loadNext() {
    const view = await loadOnce()
    setFailed(view === null)
    if (view) setViews((before) => [...before, view].slice(-keptViews))
  }

  async function load(times: number) {
    setLoading(true)
    for (let loaded = 0; loaded < times; loaded += 1) await loadNext()
    setLoading(false)
  }

  useEffect(() => {
    if (!isLive) return
    // The next poll starts when this one ends, so a slow cluster gets no more requests.
    const timer = setTimeout(() => {
      const polled = document.hidden ? Promise.resolve() : loadNext()
      void polled.finally(() => setPolls((before) => before + 1))
    }, pollMs)
    return () => clearTimeout(timer)
  }, [isLive, polls])

  return { views, latest: views.at(-1) ?? first, hasFailed, isLoading, load, isLive, setLive }
}
