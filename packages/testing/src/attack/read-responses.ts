/** A response as a strict client reads it. */
export interface Response {
  status: number
  headers: readonly (readonly [name: string, value: string])[]
  body: string
  /** The body ended as its framing says. */
  isComplete: boolean
}

export interface ReadResponses {
  /** Final responses, in order. */
  responses: Response[]
  /** The number of 1xx responses. */
  informational: number
  /** Bytes that are no response. */
  rest: string
}

/** Reads the bytes of a connection that has ended. `methods`: those of the requests, in order. */
export function readResponses(bytes: string, isHead = false): ReadResponses {
  const read: ReadResponses = { responses: [], informational: 0, rest: '' }
  let rest = bytes
  while (rest !== '') {
    const end = rest.indexOf('\r\n\r\n')
    const match = /^HTTP\/1\.[01] (\d{3})(?: [^\r\n]*)?\r\n/.exec(rest)
    if (end < 0 || !match) break
    const status = Number(match[1])
    const lines = rest.slice(match[0].length, Math.max(match[0].length, end)).split('\r\n')
    const headers = lines
      .filter((line) => line !== '')
      .map((line) => {
        const colon = line.indexOf(':')
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const
      })
    rest = rest.slice(end + 4)
    if (status < 200) {
      read.informational += 1
      continue
    }
    const { body, length, isComplete } = readBody(rest, status, headers, isHead)
    rest = rest.slice(length)
    read.responses.push({ status, headers, body, isComplete })
  }
  return { ...read, rest }
}

function readBody(rest: string, status: number, headers: Response['headers'], isHead: boolean) {
  const value = (name: string) => headers.find(([each]) => each === name)?.[1]
  if (isHead || status === 204 || status === 304) return { body: '', length: 0, isComplete: true }
  if (value('transfer-encoding') === 'chunked') return readChunks(rest)
  const declared = value('content-length')
  if (declared === undefined) return { body: rest, length: rest.length, isComplete: true }
  const length = Number(declared)
  const body = rest.slice(0, length)
  return { body, length: body.length, isComplete: body.length === length }
}

function readChunks(rest: string) {
  let body = ''
  let at = 0
  for (;;) {
    const lineEnd = rest.indexOf('\r\n', at)
    const size = lineEnd < 0 ? Number.NaN : Number.parseInt(rest.slice(at, lineEnd), 16)
    if (Number.isNaN(size)) return { body, length: rest.length, isComplete: false }
    at = lineEnd + 2
    if (size === 0) {
      const end = rest.startsWith('\r\n', at) ? at + 2 : rest.indexOf('\r\n\r\n', at) + 4
      return { body, length: end, isComplete: true }
    }
    const chunk = rest.slice(at, at + size)
    body += chunk
    if (chunk.length < size) return { body, length: rest.length, isComplete: false }
    at += size + 2
  }
}
