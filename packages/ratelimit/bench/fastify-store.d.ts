/** The store of @fastify/rate-limit, which is not among its types. */
declare module '@fastify/rate-limit/store/RedisStore.js' {
  import type { Redis } from 'ioredis'

  export default class RedisStore {
    constructor(
      continueExceeding: boolean,
      exponentialBackoff: boolean,
      redis: Redis,
      prefix: string,
    )
    incr(
      key: string,
      done: (error: Error | null, answer: unknown) => void,
      windowMs: number,
      max: number,
    ): void
  }
}
