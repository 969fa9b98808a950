'use client'

import { MonitorIcon, MoonIcon, SunIcon } from 'lucide-react'
import { useState } from 'react'
import { chooseTheme } from './actions.ts'
import { type Theme, themes } from './themes.ts'

const icons = { system: MonitorIcon, light: SunIcon, dark: MoonIcon }

/** Three buttons of one form. Without scripts the theme changes with the next page. */
export function ThemeToggle({ theme }: { theme: Theme }) {
  const [chosen, setChosen] = useState(theme)

  function show(next: Theme) {
    setChosen(next)
    document.documentElement.dataset['theme'] = next
  }

  return (
    <form action={chooseTheme}>
      <fieldset className="flex rounded-full border border-line p-0.5">
        <legend className="sr-only">Theme</legend>
        {themes.map((name) => {
          const Icon = icons[name]
          return (
            <button
              key={name}
              type="submit"
              name="theme"
              value={name}
              aria-pressed={chosen === name}
              title={`${name} theme`}
              onClick={() => show(name)}
              className="grid size-9 cursor-pointer place-items-center rounded-full text-muted hover:text-ink aria-pressed:bg-sunken aria-pressed:text-accent"
            >
              <Icon aria-hidden="true" className="size-4" />
              <span className="sr-only">{name}</span>
            </button>
          )
        })}
      </fieldset>
    </form>
  )
}
