/** The number in an instance id: 2 in `web-2`; 0 for an id without a number. */
export function instanceNumber(id: string | null) {
  return Number(/-(\d+)$/.exec(id ?? '')?.[1] ?? 0)
}

/** Three bars; the bar of the instance that answered is lit. A decoration beside the written id. */
export function InstanceMark({ lit, className = 'h-4' }: { lit: number; className?: string }) {
  const bars = Array.from({ length: Math.max(3, lit) }, (_, index) => index + 1)
  return (
    <svg
      aria-hidden="true"
      viewBox={`0 0 ${bars.length * 7 - 3} 20`}
      className={`${className} w-auto shrink-0 text-ink`}
    >
      {bars.map((bar) => (
        <rect
          key={bar}
          x={(bar - 1) * 7}
          y={bar === lit ? 0 : 4}
          width="4"
          height={bar === lit ? 20 : 12}
          rx="2"
          className={bar === lit ? 'fill-accent' : 'fill-current opacity-25'}
        />
      ))}
    </svg>
  )
}

/** An instance by name, with the mark of its number. */
export function InstanceName({ id }: { id: string | null }) {
  return (
    <span className="inline-flex items-center gap-2 font-mono text-sm whitespace-nowrap">
      <InstanceMark lit={instanceNumber(id)} className="h-3.5" />
      {id ?? 'no answer'}
    </span>
  )
}
