import { setAwakeTimeout } from '@repo/concurrency'
import { Client, type ClientConfig } from 'pg'

export interface AwakeClientConfig extends ClientConfig {
  /** How long the attempt to connect can take, in ms of time in which our event loop ran. */
  connectTimeoutMs?: number
}

/**
 * A client of `pg` whose connection must be open in time. The timer of `pg` ends before the event loop
 * has read the socket, so a pause of the process would be an outage of PostgreSQL. Call `connect` at
 * once.
 */
export class AwakeClient extends Client {
  constructor({ connectTimeoutMs = 5_000, ...config }: AwakeClientConfig = {}) {
    super({ ...config, connectionTimeoutMillis: 0 })
    const giveUp = () => this.connection.stream.destroy(new Error('timeout expired'))
    const cancel = setAwakeTimeout(giveUp, connectTimeoutMs)
    this.once('connect', cancel)
    this.once('end', cancel)
  }
}
