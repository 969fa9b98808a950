import { Switch } from '@base-ui/react/switch'

interface LiveSwitchProps {
  isLive: boolean
  label: string
  onChange: (isLive: boolean) => void
}

/** Starts and stops automatic updates (WCAG 2.2.2). */
export function LiveSwitch({ isLive, label, onChange }: LiveSwitchProps) {
  return (
    <label className="flex min-h-11 cursor-pointer items-center gap-3 text-sm font-medium">
      <Switch.Root
        aria-label={label}
        checked={isLive}
        onCheckedChange={onChange}
        className="flex h-6 w-11 shrink-0 rounded-full border border-edge bg-surface p-0.5 transition-colors data-checked:border-accent data-checked:bg-accent"
      >
        <Switch.Thumb className="size-[1.125rem] rounded-full bg-edge transition-transform data-checked:translate-x-5 data-checked:bg-on-accent" />
      </Switch.Root>
      {label}
    </label>
  )
}
