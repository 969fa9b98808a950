export { findRedisServer, type RedisServer, startRedisServer } from '@repo/embedded'
