import type { ResponseHead } from './head.ts'
import { ResponseParser } from './response-parser.ts'

/** The outcome of a response: its parts, or the reason why it was refused. */
export interface Parsed {
  informational: number[]
  statusCode: number
  reason: string
  rawHeaders: readonly string[]
  body: string
  rest: string
  /** A final response is complete. */
  isComplete: boolean
  isReusable: boolean
  isUpgraded: boolean
  /** The code of the error, which can follow a complete response. */
  error: string | undefined
}

export interface Expectation {
  method?: string
  isUpgrade?: boolean
  /** Whether the connection ends after the bytes. */
  isEnded?: boolean
}

/** Reads the response to one request from bytes that arrive in these parts. */
export function parse(
  parts: readonly Buffer[],
  { method = 'GET', isUpgrade = false, isEnded = false }: Expectation = {},
): Parsed {
  const parsed: Parsed = {
    informational: [],
    statusCode: 0,
    reason: '',
    rawHeaders: [],
    body: '',
    rest: '',
    isComplete: false,
    isReusable: false,
    isUpgraded: false,
    error: undefined,
  }
  const parser = new ResponseParser({
    onInformation: (head) => void parsed.informational.push(head.statusCode),
    onHead: (head) => useHead(head),
    onData: (chunk) => (parsed.body += chunk.toString('latin1')),
    onEnd(isReusable) {
      parsed.isComplete = true
      parsed.isReusable = isReusable
    },
    onUpgrade(head, rest) {
      useHead(head)
      parsed.isUpgraded = true
      parsed.rest += rest.toString('latin1')
    },
  })
  function useHead(head: ResponseHead): void {
    const { statusCode, reason, rawHeaders } = head
    Object.assign(parsed, { statusCode, reason, rawHeaders })
  }
  parser.expect(method, isUpgrade)
  try {
    for (const part of parts) {
      if (parsed.isUpgraded) {
        parsed.rest += part.toString('latin1')
        continue
      }
      // The connections share one buffer, whose bytes change after each read.
      const bytes = Buffer.from(part)
      parser.read(bytes)
      bytes.fill('#')
    }
    if (isEnded) parser.finish()
  } catch (error) {
    parsed.error = error instanceof Error && 'code' in error ? String(error.code) : String(error)
  }
  return parsed
}

export function parseText(text: string, expectation?: Expectation): Parsed {
  return parse([Buffer.from(text, 'latin1')], expectation)
}
