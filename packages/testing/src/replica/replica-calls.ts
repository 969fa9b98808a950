import type { ChildProcess } from 'node:child_process'
import type { RemoteError, Reply } from './replica-messages.ts'

/** A call without a reply yet. The caller types its result; as methods the resolvers take any value. */
interface Pending {
  resolve(value: unknown): void
  reject(reason: Error): void
}

/** The caller's side of `serveReplica`. */
export function createCalls(id: string, child: ChildProcess) {
  const pending = new Map<number, Pending>()
  let ready = false
  let calls = 0

  child.on('message', (reply: Reply) => {
    if (reply.kind === 'ready') {
      ready = true
      return
    }
    const answer = pending.get(reply.id)
    pending.delete(reply.id)
    if (reply.kind === 'value') answer?.resolve(reply.value)
    else answer?.reject(fromRemote(reply.error))
  })
  child.once('disconnect', () => {
    for (const answer of pending.values()) answer.reject(new Error(`${id} exited during the call`))
    pending.clear()
  })

  function call<T>(method: string, arg?: unknown): Promise<T> {
    calls += 1
    const answer = Promise.withResolvers<T>()
    pending.set(calls, answer)
    child.send({ id: calls, method, arg }, (error) => {
      if (error) answer.reject(new Error(`${id} cannot be called`, { cause: error }))
    })
    return answer.promise
  }

  return { call, saidReady: () => ready }
}

function fromRemote({ name, message, stack, code }: RemoteError): Error {
  return Object.assign(new Error(message), { name, stack, ...(code === undefined ? {} : { code }) })
}
