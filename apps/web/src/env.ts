import { z } from 'zod'

const origin = () =>
  z
    .url({ protocol: /^https?$/ })
    .refine(isOrigin, 'must be a scheme, a host and a port, such as https://example.com')
    .transform((url) => new URL(url).origin)

function isOrigin(text: string): boolean {
  const url = URL.parse(text)
  return url !== null && url.port !== '0' && url.href === `${url.origin}/` && !/[?#]$/.test(text)
}

/** The settings of web, beyond those of every app. */
export const webSettings = {
  API_URL: z
    .string()
    .transform((list) => list.split(',').map((item) => item.trim()))
    .pipe(z.array(origin()).min(1))
    .meta({
      description:
        'origins of the gateways, comma-separated, or of a load balancer in front of them',
      shared: true,
      example: 'http://localhost:4201,http://localhost:4202,http://localhost:4203',
    }),
  DEMO: z
    .stringbool()
    .default(false)
    .meta({ description: 'shows the seeded accounts on the sign-in page', shared: true }),
}

const schema = z.object({ ...webSettings, ORIGIN: origin().default('http://localhost:8080') })

/**
 * The settings that pages need. Next bundles pages without `main.ts`, so they read the settings.
 */
export function settings() {
  return schema.parse(process.env)
}

/**
 * Passes the resolved config of the build to Next, which then compiles no `next.config.ts` at boot.
 */
export function serveBuild(config: unknown) {
  Object.assign(process.env, {
    NODE_ENV: 'production',
    NEXT_TELEMETRY_DISABLED: '1',
    __NEXT_PRIVATE_STANDALONE_CONFIG: JSON.stringify(config),
  })
}
