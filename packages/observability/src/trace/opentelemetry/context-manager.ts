import { AsyncLocalStorage } from 'node:async_hooks'
import type { Context, ContextManager } from '@opentelemetry/api'

/** Carries the context of a library span through its asynchronous calls. */
export class RequestContextManager implements ContextManager {
  readonly #contexts = new AsyncLocalStorage<Context>()
  readonly #ofRequest: () => Context

  /** @param ofRequest returns the context where no library has set one */
  constructor(ofRequest: () => Context) {
    this.#ofRequest = ofRequest
  }

  active(): Context {
    return this.#contexts.getStore() ?? this.#ofRequest()
  }

  with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    context: Context,
    run: F,
    receiver?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    return this.#contexts.run(context, () => run.call(receiver, ...args))
  }

  bind<T>(context: Context, target: T): T {
    if (typeof target !== 'function') return target
    const contexts = this.#contexts
    return new Proxy(target, {
      apply: (run, receiver, args) =>
        contexts.run(context, () => Reflect.apply(run, receiver, args)),
    })
  }

  enable(): this {
    return this
  }

  disable(): this {
    this.#contexts.disable()
    return this
  }
}
