'use server'

import { cookies } from 'next/headers'
import { themeCookie, themeMaxAgeSeconds, toTheme } from './themes.ts'

/** Stores the chosen theme for a year. Next renders the page again because a cookie changed. */
export async function chooseTheme(form: FormData) {
  const jar = await cookies()
  jar.set(themeCookie, toTheme(form.get('theme')), {
    path: '/',
    maxAge: themeMaxAgeSeconds,
    sameSite: 'lax',
  })
}
