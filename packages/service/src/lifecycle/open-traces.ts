import { createTraces, type Traces } from '@repo/observability'
import { readEnv } from '../settings/env.ts'
import {
  type TraceEnv,
  traceEntrySettings,
  traceSettings,
  traceSettingsOf,
} from '../settings/trace-settings.ts'

export { sampleRateOf } from '../settings/trace-settings.ts'

/** Reads the settings of traces for a program that is no instance. Prints faults and exits 78. */
export function readTraceEnv() {
  return readEnv({ ...traceSettings, ...traceEntrySettings })
}

/**
 * Creates the traces of an instance, if its settings name a receiver.
 * @throws Error that names TRACE_LIBRARIES, if libraries cannot be traced
 */
export async function openTraces({
  env,
  ...options
}: { env: TraceEnv } & Omit<Parameters<typeof createTraces>[0], 'settings'>): Promise<
  Traces | undefined
> {
  const settings = traceSettingsOf(env)
  if (!settings) return undefined
  if (env.TRACE_LIBRARIES) {
    try {
      const { registerLibrarySpans } = await import('@repo/observability/opentelemetry')
      registerLibrarySpans()
    } catch (cause) {
      throw new Error('TRACE_LIBRARIES: install @opentelemetry/api, or set it to false', { cause })
    }
  }
  return createTraces({ settings, ...options })
}
