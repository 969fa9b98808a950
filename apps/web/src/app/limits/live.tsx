'use client'

import { useRouter } from 'next/navigation'
import { useEffect, useState, useTransition } from 'react'
import { LiveSwitch } from '../../ui/live-switch.tsx'

/** Refreshes the figures of the page until it is switched off (WCAG 2.2.2). */
export function LiveLimits({ everyMs }: { everyMs: number }) {
  const router = useRouter()
  const [isLive, setLive] = useState(false)
  const [isReading, startReading] = useTransition()

  useEffect(() => {
    if (!isLive || isReading) return undefined
    const timer = setTimeout(() => startReading(() => router.refresh()), everyMs)
    return () => clearTimeout(timer)
  }, [isLive, isReading, router, everyMs])

  return <LiveSwitch isLive={isLive} onChange={setLive} label="Refresh every 2 seconds" />
}
