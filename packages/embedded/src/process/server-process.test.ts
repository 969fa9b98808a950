import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import { createTemporaryDir } from '../temporary-dir.ts'
import { identify } from './process-identity.ts'
import { startServer } from './server-process.ts'

/** A server that prints its ready line, and a child that inherits its output. */
const program = `
  const { spawn } = require('node:child_process')
  spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { stdio: 'inherit' })
  process.on('SIGTERM', () => {})
  setInterval(() => {}, 1e6)
  console.log('ready ' + process.pid)`

const node = (source: string) => async () => [process.execPath, '-e', source] as const
const missing = async () => ['/no/such/program'] as const

const options = {
  command: node(program),
  readyLine: 'ready',
  stopSignal: 'SIGTERM',
  orphanSignal: 'SIGKILL',
} as const

test('SIGKILL ends a server with its children, a restart starts another process, and a stop deletes the temporary folder', async () => {
  const temporaryDir = await createTemporaryDir('threefold-server-')
  const server = await startServer({ ...options, stopSignal: 'SIGKILL', temporaryDir })
  const first = server.pid
  // The server counts as ended when its last child has closed the output that it inherited.
  await server.kill()
  expect([server.running, identify(first)]).toEqual([false, undefined])
  await server.restart()
  expect(server.running).toBe(true)
  expect(server.pid).not.toBe(first)
  expect(existsSync(temporaryDir)).toBe(true)
  await server.stop()
  expect([server.running, identify(server.pid)]).toEqual([false, undefined])
  expect(existsSync(temporaryDir)).toBe(false)
})

test('a server that ends before it is ready is an error with its exit code and its output', async () => {
  const command = node(`console.error('no such setting'); process.exit(7)`)
  await expect(startServer({ ...options, command })).rejects.toThrow(
    /ended \(7\) before it was ready\nno such setting/,
  )
})

test('a program that does not exist is an error that names it', async () => {
  await expect(startServer({ ...options, command: missing })).rejects.toThrow('/no/such/program')
})
