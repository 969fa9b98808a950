import { cookies } from 'next/headers'
import { type Theme, themeCookie, toTheme } from './themes.ts'

/** Reads the theme from the cookie, so that the first byte of a page has it. */
export async function readTheme(): Promise<Theme> {
  return toTheme((await cookies()).get(themeCookie)?.value)
}
