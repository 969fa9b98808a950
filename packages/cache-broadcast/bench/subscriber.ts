/** Receives from the bus and from a channel, and reports how long each message took. */
import { connectRedis } from '@repo/redis'
import { Redis } from 'ioredis'
import { createBus } from '../src/index.ts'
import { nowUs } from './broadcast.ts'

const [id = '', url = ''] = process.argv.slice(2)
const redis = connectRedis({ url, name: id })
await redis.ready()
const bus = createBus({ redis, name: 'broadcast', instance: id })
bus.on('bench', (data) => void process.send?.(nowUs() - Number(data)))
bus.on('bench-wait', () => undefined)
await bus.ready()
const subscriber = new Redis(url)
subscriber.on('message', (_, sentAtUs) => process.send?.(nowUs() - Number(sentAtUs)))
await subscriber.subscribe('bench')
process.send?.('ready')
