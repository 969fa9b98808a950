import type { Log } from '@repo/observability'
import { createDnsSource, createListSource, type Targets } from '@repo/proxy'
import { origins, type Registry } from '@repo/service'
import { z } from 'zod'

const REGISTRY = 'registry:'
const DNS = /^dns(\+https)?:\/\/([a-z0-9._-]+:\d{1,5})$/i

/**
 * The setting of an upstream: origins, comma-separated, or `registry:` for each live instance of the
 * app in the registry, or `dns://auth:3001` (`dns+https://`) for each address of a name. The value is
 * a list of text in each case, as in the release before.
 */
export function upstreamTargets() {
  return z.string().transform((text, context): string[] => {
    const value = text.trim()
    if (value === REGISTRY || originOf(value) !== undefined) return [value]
    const parsed = origins().safeParse(value)
    if (parsed.success) return parsed.data
    const message =
      'must be origins such as https://example.com, comma-separated; registry:; or dns://name:port'
    context.addIssue({ code: 'custom', message })
    return z.NEVER
  })
}

/** Returns the origin of a name in DNS; undefined if the value is no such setting. */
function originOf(value: string): string | undefined {
  const [, tls, authority] = DNS.exec(value) ?? []
  if (authority === undefined) return undefined
  const origin = `${tls === undefined ? 'http' : 'https'}://${authority}`
  return URL.canParse(origin) && !origin.endsWith(':0') ? origin : undefined
}

/** Returns the instances of an app as the setting describes them. */
export function targetsOf(
  setting: readonly string[],
  { app, registry, log }: { app: string; registry: Pick<Registry, 'onList'>; log: Log },
): Targets {
  const [value = ''] = setting
  const origin = originOf(value)
  if (origin !== undefined) return createDnsSource({ origin, log })
  if (value !== REGISTRY) return setting
  // An instance that is not ready gets no requests. The steady set of the source and the health
  // checks decide about one that was listed before.
  return createListSource((onList) =>
    registry.onList((instances) => {
      const usable = instances.filter((each) => each.app === app && each.ready)
      onList(usable.flatMap(({ url }) => URL.parse(url)?.origin ?? []))
    }),
  )
}
