/** One entry of the list of services. */
export interface Service {
  /** The folder in `apps`, the service in the compose files, and the beginning of an instance's id. */
  readonly name: string
  /** Decides every port (`ports.ts`): unique, 1 to 20, except 5, which the worker of jobs will have. */
  readonly number: number
  /**
   * `web` receives all that is not `/api`. `gateway` receives `/api` and forwards it. `domain` is a
   * service behind the gateway.
   */
  readonly role: 'domain' | 'gateway' | 'web'
  /** The path prefixes of the service. The edge reads those of the gateway, the gateway all others. */
  readonly paths: readonly string[]
  /** `open`: the service authenticates callers itself. `signed-in`: the gateway refuses all others. */
  readonly access: 'open' | 'signed-in'
  /** Whether the gateway sends `x-client-country`, if it has a database of countries. */
  readonly receivesCountry?: boolean
  /** Whether instances connect to PostgreSQL. */
  readonly usesDatabase: boolean
  /** The secrets that instances read, beside the URLs of the stores. */
  readonly secrets: readonly string[]
  /** Limits in containers; without them, 512 MiB and a heap of 256 MiB. */
  readonly memory?: { readonly limitMiB: number; readonly heapMiB: number }
  /** A request that needs no account, and its status from an instance that works. */
  readonly probe: { readonly path: string; readonly status: number }
  /** One line for people. */
  readonly description: string
}

/** Answers 200 while an instance accepts requests. Every service has it. */
export const READINESS_PATH = '/readyz'
