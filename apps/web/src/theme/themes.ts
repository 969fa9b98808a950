export const themes = ['system', 'light', 'dark'] as const
export type Theme = (typeof themes)[number]

export const themeCookie = 'theme'
export const themeMaxAgeSeconds = 31_536_000

export function toTheme(value: unknown): Theme {
  return themes.find((theme) => theme === value) ?? 'system'
}
