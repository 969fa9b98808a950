export { findRedisServer, type RedisServer, startRedisServer } from '@repo/local/redis-server'
