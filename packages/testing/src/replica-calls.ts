import type { ChildProcess } from 'node:child_process'
import type { RemoteError, Reply } from './replica-messages.ts'

/** The asking side of `serveReplica`. */
export function createCalls(id: string, child: ChildProcess) {
  const pending = new Map<number, PromiseWithResolvers<unknown>>()
  let ready = false
  let calls = 0

  child.on('message', (reply: Reply) => {
    if (reply.kind === 'ready') {
      ready = true
      return
    }
    const call = pending.get(reply.id)
    pending.delete(reply.id)
    if (reply.kind === 'value') call?.resolve(reply.value)
    else call?.reject(fromRemote(reply.error))
  })
  child.once('disconnect', () => {
    for (const call of pending.values()) call.reject(new Error(`${id} exited during the call`))
    pending.clear()
  })

  function ask(method: string, arg: unknown): Promise<unknown> {
    calls += 1
    const answer = Promise.withResolvers<unknown>()
    pending.set(calls, answer)
    child.send({ id: calls, method, arg }, (error) => {
      if (error) answer.reject(new Error(`${id} cannot be called`, { cause: error }))
    })
    return answer.promise
  }

  return {
    saidReady: () => ready,
    // Nothing is known of the program's types here: the caller says what the method answers.
    call: <T>(method: string, arg?: unknown) => ask(method, arg) as Promise<T>,
  }
}

function fromRemote({ name, message, stack, code }: RemoteError): Error {
  return Object.assign(new Error(message), { name, stack, ...(code === undefined ? {} : { code }) })
}
