import { createHash } from 'node:crypto'
import { globSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { NextConfig } from 'next'

const root = join(import.meta.dirname, '../..')
/** All inputs of a build, apart from the Node.js version. */
const sources = [
  'apps/web/{src,public}/**/*',
  'apps/web/{package.json,next.config.ts,postcss.config.ts}',
  'packages/{api,cache-broadcast,concurrency,observability,redis,service}/src/**/*.ts',
  'pnpm-lock.yaml',
]
const deploymentId = process.env['NEXT_DEPLOYMENT_ID'] || digestOf(sources)

// Headers that are the same for all requests. The content security policy is in src/proxy.ts.
const headers = [
  { key: 'X-Content-Type-Options', value: 'nosniff' },
  { key: 'X-Frame-Options', value: 'DENY' },
  { key: 'Referrer-Policy', value: 'strict-origin-when-cross-origin' },
  { key: 'Cross-Origin-Opener-Policy', value: 'same-origin' },
  { key: 'Cross-Origin-Resource-Policy', value: 'same-origin' },
  {
    key: 'Permissions-Policy',
    value: 'camera=(), microphone=(), geolocation=(), payment=(), usb=(), browsing-topics=()',
  },
]

const config: NextConfig = {
  output: 'standalone',
  outputFileTracingRoot: root,
  turbopack: { root },
  poweredByHeader: false,
  // Two builds of the same sources have the same id. A tab of another release then loads the whole
  // page instead of a part that does not match.
  generateBuildId: () => deploymentId,
  deploymentId,
  // `pnpm check` checks the types of this app and of its packages.
  typescript: { ignoreBuildErrors: true },
  cacheComponents: true,
  partialPrefetching: true,
  // An entry is cached for all instances, or not at all.
  cacheHandlers: { remote: require.resolve('./src/server/cache-handler.ts') },
  cacheHandler: require.resolve('./src/server/page-handler.ts'),
  cacheMaxMemorySize: 0,
  // Every page depends on its user and has a nonce, so it cannot be prerendered. For a user agent
  // that matches, Next sends the complete page instead of a shell: it works without scripts, a
  // redirect has its status, and the layout does not shift.
  htmlLimitedBots: /.*/,
  // No part of a page can be reused, so Next need not request a navigation twice to find one.
  experimental: { cachedNavigations: false },
  images: { unoptimized: true },
  headers: async () => [{ source: '/:path*', headers }],
}

export default config

/** Twelve hexadecimal digits that change with the names and the content of the files. */
function digestOf(globs: string[]): string {
  const hash = createHash('sha256')
  for (const file of globs.flatMap((glob) => globSync(glob, { cwd: root })).toSorted()) {
    const path = join(root, file)
    if (statSync(path).isFile()) hash.update(`${file}\0`).update(readFileSync(path))
  }
  return hash.digest('hex').slice(0, 12)
}
