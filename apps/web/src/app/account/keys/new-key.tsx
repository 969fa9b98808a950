import { useEffect, useRef } from 'react'
import { CopyButton } from '../../../ui/copy-button.tsx'

interface NewKeyProps {
  text: string
  name: string
}

/** A key that was just created. It cannot be shown again, so it receives the focus. */
export function NewKey({ text, name }: NewKeyProps) {
  const box = useRef<HTMLDivElement>(null)
  useEffect(() => box.current?.focus(), [])
  return (
    <div
      ref={box}
      tabIndex={-1}
      className="grid gap-3 rounded-control border-l-4 border-ok bg-sunken px-4 py-4"
    >
      <p className="text-sm font-medium">
        The key “<span className="wrap-anywhere">{name}</span>” is created. Copy it now: it is not
        stored and cannot be shown again.
      </p>
      <code
        aria-label="New API key"
        className="rounded-control border border-edge bg-surface px-3 py-2.5 font-mono text-sm break-all select-all"
      >
        {text}
      </code>
      <CopyButton text={text} label="Copy key" />
    </div>
  )
}
