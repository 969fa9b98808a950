'use client'

import { useRouter } from 'next/navigation'
import { useEffect, useState, useTransition } from 'react'
import { LiveSwitch } from '../../ui/live-switch.tsx'

/** Has the page's figures read again and again, until it is switched off (WCAG 2.2.2). */
export function LiveLimits({ everyMs }: { everyMs: number }) {
  const router = useRouter()
  const [live, setLive] = useState(false)
  const [reading, startReading] = useTransition()

  useEffect(() => {
    if (!live || reading) return undefined
    const timer = setTimeout(() => startReading(() => router.refresh()), everyMs)
    return () => clearTimeout(timer)
  }, [live, reading, router, everyMs])

  return <LiveSwitch live={live} onChange={setLive} label="Read every 2 seconds" />
}
