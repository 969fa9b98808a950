import { Socket } from 'node:net'
import { Client } from 'undici'
import { expect, test } from 'vitest'
import { parse, type Parsed } from './parsed.fixture.ts'

const ROUNDS = 20_000

/** A generator of numbers that a failed round repeats (mulberry32). */
function createRandom(seed: number) {
  let state = seed
  return (below: number): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

const bases = [
  'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n3\r\nabc\r\n5;a=b\r\nhello\r\n0\r\n\r\n',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n',
  'HTTP/1.1 204 No Content\r\nX-A: b\r\nConnection: keep-alive\r\n\r\n',
  'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\nKeep-Alive: timeout=5\r\n\r\n',
  'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
  'HTTP/1.0 200 OK\r\nX-A: b\r\n\r\nuntil the end',
  'HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n',
]

const fragments = [
  ...['\r', '\n', '\r\n', '\r\n\r\n', '\n\n', ' ', '\t', '\0', ':', ';', ',', '-', '+', '0', '1'],
  ...['\u000b', '\u000c', '\u007f', '\u0080', '\u00e9', '\u00ff', 'f', 'F', '0x', '"', '\r\n '],
  ...['Content-Length: 5\r\n', 'Content-Length: 0\r\n', 'content-length: 7\r\n'],
  ...['Transfer-Encoding: chunked\r\n', 'Transfer-Encoding: gzip\r\n', 'Connection: close\r\n'],
  ...[
    'Connection: upgrade\r\nUpgrade: a\r\n',
    'HTTP/1.1 200 OK\r\n\r\n',
    'X-A: b\r\n',
    '0\r\n\r\n',
  ],
]

function mutate(text: string, random: (below: number) => number): string {
  let mutated = text
  for (let edits = random(3) + 1; edits > 0; edits -= 1) {
    const at = random(mutated.length + 1)
    const end = Math.min(mutated.length, at + random(6))
    const fragment = fragments[random(fragments.length)] ?? ''
    const kind = random(4)
    const middle =
      kind === 0
        ? fragment + mutated.slice(at, end)
        : kind === 1
          ? fragment
          : kind === 2
            ? String.fromCharCode(random(256))
            : mutated.slice(at, end).repeat(2)
    mutated = mutated.slice(0, at) + middle + mutated.slice(end)
  }
  return mutated
}

interface Reference {
  statusCode: number
  rawHeaders: string[]
  body: string
  isComplete: boolean
  isReusable: boolean
  error: string
}

/** A socket in memory, which replies to the first write. */
class ReplyingSocket extends Socket {
  readonly #text: string
  readonly #isEnded: boolean

  constructor(text: string, isEnded: boolean) {
    super()
    this.#text = text
    this.#isEnded = isEnded
  }

  override _read(): void {}

  override _write(_chunk: unknown, _encoding: string, done: () => void): void {
    done()
    setImmediate(() => {
      this.push(Buffer.from(this.#text, 'latin1'))
      if (this.#isEnded) this.push(null)
    })
  }
}

/** Reads the response with undici, whose parser is llhttp. The connection stays open unless it `isEnded`. */
async function readWithUndici(text: string, method: 'GET' | 'HEAD', isEnded: boolean) {
  const reference: Reference = {
    statusCode: 0,
    rawHeaders: [],
    body: '',
    isComplete: false,
    isReusable: false,
    error: '',
  }
  const socket = new ReplyingSocket(text, isEnded)
  socket.on('error', () => undefined)
  const client = new Client('http://localhost', {
    connect: (_options, connected) => queueMicrotask(() => connected(null, socket)),
  })
  const { promise, resolve } = Promise.withResolvers<void>()
  // Without an event undici waits for more bytes.
  const waiting = setTimeout(resolve, 500)
  client.dispatch(
    { method, path: '/' },
    {
      onRequestStart: () => undefined,
      onResponseStart(controller, statusCode) {
        if (statusCode < 200) return
        const raw = Array.isArray(controller.rawHeaders) ? controller.rawHeaders : []
        reference.statusCode = statusCode
        reference.rawHeaders = raw.map((part) => Buffer.from(part).toString('latin1'))
      },
      onResponseData: (_controller, chunk) => void (reference.body += chunk.toString('latin1')),
      onResponseEnd() {
        reference.isComplete = true
        resolve()
      },
      onResponseError(_controller, error) {
        reference.error = String(error)
        resolve()
      },
    },
  )
  await promise
  clearTimeout(waiting)
  // By then undici has read everything that the socket has.
  await new Promise((read) => setImmediate(() => setImmediate(read)))
  reference.isReusable = reference.isComplete && !socket.destroyed
  await client.destroy()
  return reference
}

const trimmed = (fields: readonly string[]) => fields.map((field) => field.replace(/[ \t]+$/, ''))

function describe(text: string, parsed: Parsed, reference: Reference): string {
  return JSON.stringify({ text, parsed, reference }, undefined, 1)
}

test(`none of ${ROUNDS} mutated responses is complete or reusable that llhttp refuses, and each has the same parts`, async () => {
  const seed = Math.floor(Math.random() * 2 ** 31)
  const random = createRandom(seed)
  let accepted = 0
  let refused = 0
  for (let round = 0; round < ROUNDS; round += 1) {
    const text = mutate(bases[random(bases.length)] ?? '', random)
    const method = random(8) === 0 ? 'HEAD' : 'GET'
    const isEnded = random(2) === 0
    const bytes = Buffer.from(text, 'latin1')
    const parsed = parse([bytes], { method, isEnded })
    const at = random(bytes.length + 1)
    const context = `seed ${seed}, round ${round}`
    expect(
      parse([bytes.subarray(0, at), bytes.subarray(at)], { method, isEnded }),
      `${context}, split at ${at}: ${JSON.stringify(text)}`,
    ).toMatchObject({ isComplete: parsed.isComplete, body: parsed.body, error: parsed.error })
    if (!parsed.isComplete) {
      refused += 1
      continue
    }
    // Undici itself refuses a 100, which llhttp accepts.
    if (parsed.informational.includes(100)) continue
    accepted += 1
    const reference = await readWithUndici(text, method, isEnded)
    const details = `${context}, ${method}: ${describe(text, parsed, reference)}`
    expect(reference.isComplete, details).toBe(true)
    expect(reference.statusCode, details).toBe(parsed.statusCode)
    expect(reference.body, details).toBe(parsed.body)
    expect(trimmed(reference.rawHeaders), details).toEqual(parsed.rawHeaders)
    // A short time of keep-alive ends the connection in the pool.
    const isReused = parsed.isReusable && parsed.error === undefined && !/timeout=/.test(text)
    if (isReused && method === 'GET' && !isEnded) {
      expect(reference.isReusable, details).toBe(true)
    }
  }
  // The mutations test both outcomes.
  expect(accepted).toBeGreaterThan(ROUNDS / 20)
  expect(refused).toBeGreaterThan(ROUNDS / 20)
}, 120_000)
