import '@fontsource-variable/instrument-sans'
import '@fontsource-variable/jetbrains-mono'
import './globals.css'
import type { Metadata, Viewport } from 'next'
import type { ReactNode } from 'react'
import { SiteHeader } from '../layout/site-header.tsx'
import { readTheme } from '../theme/read-theme.ts'
import { ImpersonationBanner } from './impersonation-banner.tsx'

export const metadata: Metadata = {
  title: { default: 'Threefold', template: '%s · Threefold' },
  description: 'A TypeScript monorepo that is correct with three of everything.',
}

/** Every page depends on its request, so Next can show no part of it in advance. */
export const instant = false

const paper = { light: '#fbfaf6', dark: '#0f1216' }

export async function generateViewport(): Promise<Viewport> {
  const theme = await readTheme()
  if (theme !== 'system') return { themeColor: paper[theme] }
  return {
    themeColor: [
      { media: '(prefers-color-scheme: light)', color: paper.light },
      { media: '(prefers-color-scheme: dark)', color: paper.dark },
    ],
  }
}

export default async function RootLayout({ children }: { children: ReactNode }) {
  return (
    <html lang="en" data-theme={await readTheme()}>
      <body className="flex min-h-dvh flex-col">
        <a
          href="#main"
          className="absolute left-4 -top-20 z-10 rounded-control bg-accent px-4 py-3 font-semibold text-on-accent focus:top-4"
        >
          Skip to content
        </a>
        <ImpersonationBanner />
        <SiteHeader />
        {children}
      </body>
    </html>
  )
}
