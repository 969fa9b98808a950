'use client'

import { useState, useSyncExternalStore } from 'react'
import { Button } from './button.tsx'

interface CopyButtonProps {
  text: string
  label: string
}

const noChanges = () => () => undefined

/** Copies a text. It is absent without scripts, and where the browser has no clipboard. */
export function CopyButton({ text, label }: CopyButtonProps) {
  const [result, setResult] = useState('')
  const canCopy = useSyncExternalStore(
    noChanges,
    () => navigator.clipboard !== undefined,
    () => false,
  )
  if (!canCopy) return null

  async function copy() {
    try {
      await navigator.clipboard.writeText(text)
      setResult('Copied')
    } catch {
      setResult('The browser refused. Select the text and copy it.')
    }
  }

  return (
    <p className="flex flex-wrap items-center gap-3">
      <Button look="outline" size="small" onClick={() => void copy()}>
        {label}
      </Button>
      <span role="status" className="text-sm text-muted">
        {result}
      </span>
    </p>
  )
}
