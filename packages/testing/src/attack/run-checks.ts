import { connect } from 'node:net'
import { type Check, type Fault, type Front, type Kind, REFUSALS } from './check.ts'
import { readResponses } from './read-responses.ts'
import { type Recorder, SECRET_TEXT, type Seen } from './recorder.ts'

export interface Target {
  host: string
  port: number
  front: Front
  kind: Kind
  /** The session cookie of a user; checks that need one are left out without it. */
  cookie?: string
}

export interface Outcome {
  name: string
  /** `refused 400`, `forwarded 200`, or the fault. */
  result: string
  isBroken: boolean
}

/** Responses end within this time; a connection without one is closed by the client. */
const GIVE_UP_MS = 4_000
/** After a complete response on an open connection: a second response would come within this time. */
const QUIET_MS = 150
const AT_ONCE = 8

/** Sends the bytes of each check to the front, and compares the outcome with those allowed. */
export async function runChecks(
  checks: readonly Check[],
  target: Target,
  recorder: Recorder,
): Promise<Outcome[]> {
  const chosen = checks.filter(
    ({ front = target.front, except, request }) =>
      front === target.front &&
      except?.[target.kind] === undefined &&
      (target.cookie !== undefined || !request.includes('{cookie}')),
  )
  const outcomes: Outcome[] = []
  const queue = chosen.map((check, i) => ({ check, id: `check-${i + 1000}`, i }))
  async function work() {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const { check, id, i } = next
      outcomes[i] = await runCheck(check, id, target, recorder)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return [...outcomes, ...desynchronized(recorder)]
}

/**
 * A request that begins as a check does is refused by the upstream as a whole. Other bytes are the rest of
 * a request whose end the front and the upstream do not agree on.
 */
function desynchronized(recorder: Recorder): Outcome[] {
  return recorder
    .malformed()
    .filter((bytes) => !/^\S+ \S*check-\d+\S* HTTP|^G{200}/.test(bytes))
    .map((bytes) => ({
      name: 'an upstream reads requests where the front wrote them',
      result: `an upstream received ${JSON.stringify(bytes)}`,
      isBroken: true,
    }))
}

async function runCheck(check: Check, id: string, target: Target, recorder: Recorder) {
  const fill = (text: string) =>
    text.replaceAll('{id}', id).replaceAll('{cookie}', target.cookie ?? '')
  if (check.response !== undefined) {
    recorder.script(id, { bytes: fill(check.response), holds: check.holds ?? false })
  }
  const isHead = check.request.startsWith('HEAD ')
  const raw = await converse(target, fill(check.request), isHead)
  const { result, fault } = judge(check, raw, recorder.seen(id), isHead)
  return { name: check.name, result: fault ?? result, isBroken: fault !== undefined }
}

/** Writes the bytes, and reads until the connection ends or stays silent. */
function converse({ host, port }: Target, bytes: string, isHead: boolean): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, host, () => socket.write(bytes, 'latin1'))
    let read = ''
    let quiet: NodeJS.Timeout | undefined
    const giveUp = setTimeout(() => socket.destroy(), GIVE_UP_MS)
    socket.on('data', (chunk: Buffer) => {
      read += chunk.toString('latin1')
      clearTimeout(quiet)
      const { responses } = readResponses(read, isHead)
      if (responses.at(-1)?.isComplete) quiet = setTimeout(() => socket.destroy(), QUIET_MS)
    })
    // A server that refuses a request closes the connection while the client still sends.
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      clearTimeout(giveUp)
      clearTimeout(quiet)
      resolve(read)
    })
  })
}

function judge(check: Check, raw: string, seen: readonly Seen[], isHead: boolean) {
  const { responses, rest } = readResponses(raw, isHead)
  const status = responses[0]?.status
  const result = `${seen.length > 0 ? 'forwarded' : 'refused'} ${status ?? 'without a response'}`
  const fault =
    alwaysTrue(check, raw, seen, responses.length) ??
    (seen.length > 0 ? judgeForwarded(check, seen, result) : judgeRefused(check, status, result)) ??
    check.answered?.(responses, raw) ??
    (rest !== '' && check.response === undefined
      ? `bytes after the response: ${JSON.stringify(rest.slice(0, 80))}`
      : undefined)
  return { result, fault }
}

function alwaysTrue(check: Check, raw: string, seen: readonly Seen[], responses: number): Fault {
  const { forwards = 1 } = check
  if (seen.some(({ url }) => url.includes('-smuggled'))) return 'a smuggled request was forwarded'
  if (seen.length > forwards) return `${seen.length} requests were forwarded`
  // One more may refuse the bytes behind a request.
  if (responses > forwards + 1) return `the client received ${responses} responses`
  if (raw.includes(SECRET_TEXT)) return "the client received the upstream's internal text"
  if (/x-injected/i.test(raw)) return 'the client received an injected header'
  return undefined
}

function judgeForwarded(check: Check, seen: readonly Seen[], result: string): Fault {
  if (!check.forwarded) return `was ${result}`
  for (const each of seen) {
    const fault = check.forwarded(each)
    if (fault) return fault
  }
  return undefined
}

function judgeRefused(check: Check, status: number | undefined, result: string): Fault {
  if (!check.refused) return `was ${result}`
  if (status === undefined || check.refused.includes(status)) return undefined
  const isGeneral = check.refused.length === REFUSALS.length
  return `was ${result}${isGeneral ? '' : ` instead of ${check.refused.join(', ')}`}`
}
