/** The requirements of a service with several instances, and how this repository satisfies them. */
const CHECKLIST: readonly (readonly [requirement: string, answer: string])[] = [
  [
    'Cache invalidation broadcasts',
    'createBus and createCache of @repo/cache-broadcast: every instance reads the whole log of the bus "platform", so no instance takes a message from another one',
  ],
  [
    'Rate limiting',
    'the gateway counts each request in Redis, under the limits of apps/gateway/limits.json; add a route there for tighter limits. Limits within the service: createRateLimiter of @repo/ratelimit. Counters in memory are refused with more than one instance',
  ],
  [
    'Session and authentication',
    'the gateway checks the session and signs the identity for one method, path and query; createSignedCaller checks the signature, so any instance serves any request',
  ],
  [
    'Idempotency',
    'the client generates the id, and the primary key (owner, id) in PostgreSQL stores an item once, however clients and instances repeat the request; app.test.ts proves it with 40 concurrent requests',
  ],
  [
    'Local caches',
    'the service caches nothing. For a cache use createCache of @repo/cache-broadcast: its entries are bounded, and an instance that cannot reach the bus stops using them within its lease',
  ],
  [
    'Background jobs',
    'the service runs no jobs. For a message that must follow a commit use createOutbox of @repo/outbox; for work that one instance does at a time, createRenewedLeases of @repo/concurrency, with a fencing token',
  ],
  [
    'Connection strings',
    'DATABASE_URL and REDIS_URL come from the environment or from the files that DATABASE_URL_FILE and REDIS_URL_FILE name; a missing or malformed one stops the boot with exit code 78',
  ],
]

/** The checklist as text for a terminal with 100 columns. */
export function renderChecklist(): string {
  return CHECKLIST.map(([requirement, answer]) => `  [x] ${requirement}\n${wrap(answer)}`).join(
    '\n',
  )
}

function wrap(text: string): string {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last === undefined || last.length + word.length > 88) lines.push(word)
    else lines[lines.length - 1] = `${last} ${word}`
  }
  return lines.map((line) => `      ${line}`).join('\n')
}
