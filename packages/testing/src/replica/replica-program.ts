import { flushCompileCache } from 'node:module'
import type { Call, RemoteError, Reply } from './replica-messages.ts'

/** Each takes one argument and returns a value that structured cloning supports. */
export type ReplicaMethods = Record<string, (arg: never) => unknown>

/**
 * Makes the program a replica that a test starts by `replicas(n, { program })`: it sends ready, and
 * answers `replica.call(method, arg)` until it is ended.
 */
export function serveReplica(methods: ReplicaMethods): void {
  process.on('message', (call: Call) => void answer(methods, call))
  send({ kind: 'ready' })
  // Tests end replicas by SIGKILL, before Node would write what it compiled.
  flushCompileCache()
}

async function answer(methods: ReplicaMethods, { id, method, arg }: Call) {
  try {
    const call: ((arg: never) => unknown) | undefined = methods[method]
    if (!call) throw new Error(`The replica has no method ${method}`)
    send({ kind: 'value', id, value: await Reflect.apply(call, methods, [arg]) })
  } catch (error) {
    send({ kind: 'error', id, error: toRemote(error) })
  }
}

function send(reply: Reply) {
  process.send?.(reply)
}

function toRemote(error: unknown): RemoteError {
  if (!(error instanceof Error)) {
    return { name: 'Error', message: String(error), stack: undefined, code: undefined }
  }
  const { name, message, stack } = error
  return { name, message, stack, code: 'code' in error ? error.code : undefined }
}
