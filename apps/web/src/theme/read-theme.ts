import { cookies } from 'next/headers'
import { type Theme, themeCookie, toTheme } from './themes.ts'

/** The theme that the browser's cookie asks for, so that the first byte already has it. */
export async function readTheme(): Promise<Theme> {
  return toTheme((await cookies()).get(themeCookie)?.value)
}
