import { createHash } from 'node:crypto'
import { globSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { NextConfig } from 'next'

const root = join(import.meta.dirname, '../..')
/** Everything that a build is made from, apart from the Node.js version. */
const sources = [
  'apps/web/{src,public}/**/*',
  'apps/web/{package.json,next.config.ts,postcss.config.ts}',
  'packages/{api,cache-broadcast,concurrency,observability,redis,service}/src/**/*.ts',
  'pnpm-lock.yaml',
]
const deploymentId = process.env['NEXT_DEPLOYMENT_ID'] || digestOf(sources)

// What must not differ between requests; the content security policy, which does, is in src/proxy.ts.
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
  // Two builds of the same sources have the same id. Another release has another id: a tab of the
  // former release then loads the whole page instead of a part that does not fit.
  generateBuildId: () => deploymentId,
  deploymentId,
  // `pnpm check` decides about types, here and in every package that a build would check again.
  typescript: { ignoreBuildErrors: true },
  cacheComponents: true,
  partialPrefetching: true,
  // What is kept for all requests is kept for all instances, or not at all.
  cacheHandlers: { remote: require.resolve('./src/server/cache-handler.ts') },
  cacheHandler: require.resolve('./src/server/page-handler.ts'),
  cacheMaxMemorySize: 0,
  // Every page is about who asks, and its policy has a nonce that a page made before would not have.
  // Next makes a page whole for such a user agent: no shell first, so that it works without scripts,
  // a redirect has its status, and nothing moves.
  htmlLimitedBots: /.*/,
  // Nothing of a page may be shown again, so no navigation is made twice to find what could be.
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
