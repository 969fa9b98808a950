/** Headers and problems that many operations share. `description` is Markdown. */

const text = { type: 'string' }

export const headers = {
  'X-Request-Id': {
    description: 'The id of the request, which log lines and problem documents name.',
    schema: text,
  },
  'X-Instance-Id': {
    description: 'The instances that served the request, such as `gateway-2, payments-1`.',
    schema: text,
  },
  'RateLimit-Policy': {
    description: 'The limits of the route (IETF structured field), if it has any.',
    schema: text,
  },
  RateLimit: {
    description: 'What remains of each limit (IETF structured field), if the route has any.',
    schema: text,
  },
  'Retry-After': {
    description: 'Seconds until the next attempt can succeed.',
    schema: { type: 'integer', minimum: 0 },
  },
  'Idempotency-Status': {
    description:
      'The use of the header `Idempotency-Key`, if the request has it: `fresh` (this request took effect), `replayed` or `waited` (the response of an earlier attempt).',
    schema: { type: 'string', enum: ['fresh', 'replayed', 'waited'] },
  },
  'Idempotency-Replayed': {
    description: '`true` if the response repeats the response of an earlier attempt.',
    schema: { type: 'string', const: 'true' },
  },
}

export type HeaderName = keyof typeof headers

export function refToHeaders(...names: HeaderName[]) {
  return Object.fromEntries(
    names.map((name) => [name, { $ref: `#/components/headers/${name}` }] as const),
  )
}

/** The body of every refusal. */
export const problemSchema = {
  type: 'object',
  description: 'A problem document (RFC 9457).',
  properties: {
    type: {
      ...text,
      description: 'A stable name: `urn:threefold:problem:<code>`, or `about:blank`.',
    },
    title: text,
    status: { type: 'integer', minimum: 400, maximum: 599 },
    detail: { ...text, description: 'What is wrong, and what to do.' },
    instance: { ...text, description: '`urn:request:<id>`: the request.' },
    errors: {
      type: 'array',
      description: 'The faulty fields.',
      items: {
        type: 'object',
        properties: { field: text, message: text },
        required: ['field', 'message'],
      },
    },
  },
  required: ['type', 'title', 'status'],
}

function problem(description: string, ...names: HeaderName[]) {
  return {
    description,
    headers: refToHeaders('X-Request-Id', ...names),
    content: {
      'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } },
    },
  }
}

/** The refusals, by status. */
export const problems = {
  400: problem(
    'The request is malformed: its path, its JSON or a header such as `Idempotency-Key`.',
  ),
  401: problem('The caller is not signed in, or its API key is invalid.'),
  403: problem('The caller may not do this, or the request comes from a page of another site.'),
  404: problem('There is no such resource, or it belongs to another caller.'),
  409: problem(
    'The request conflicts with the present state, or with an attempt in flight.',
    'Retry-After',
  ),
  413: problem('The body is too large.'),
  415: problem('The type of the body is not `application/json`.'),
  422: problem(
    'A field of the body or of the query is invalid (`errors` names each), or the idempotency key belongs to another request.',
  ),
  429: problem('A limit is exceeded.', 'Retry-After', 'RateLimit-Policy', 'RateLimit'),
  503: problem('A service or a store is unavailable for a moment.', 'Retry-After'),
}

export type ProblemStatus = keyof typeof problems

export function isProblemStatus(status: number): status is ProblemStatus {
  return Object.hasOwn(problems, status)
}

/** Returns the security schemes of a site. */
export function securitySchemes(cookieName: string) {
  return {
    session: {
      type: 'apiKey',
      in: 'cookie',
      name: cookieName,
      description:
        'The cookie of a sign-in. A request that changes data must come from a page of this site or of a trusted origin, or have the header `Origin` with the address of this site.',
    },
    apiKey: {
      type: 'http',
      scheme: 'bearer',
      bearerFormat: 'tf_...',
      description: 'An API key of the caller. It can only do what its scopes permit.',
    },
  }
}
