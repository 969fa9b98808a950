'use server'

import { cookies } from 'next/headers'
import { themeCookie, themeMaxAgeSeconds, toTheme } from './themes.ts'

/** Keeps the chosen theme for a year. Setting the cookie makes Next render the page again with it. */
export async function chooseTheme(form: FormData) {
  const jar = await cookies()
  jar.set(themeCookie, toTheme(form.get('theme')), {
    path: '/',
    maxAge: themeMaxAgeSeconds,
    sameSite: 'lax',
  })
}
