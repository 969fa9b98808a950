import { execFile } from 'node:child_process'
import { createServer } from 'node:http'
import { promisify } from 'node:util'
import { freePort } from '@repo/embedded'
import { expect, test } from 'vitest'

const run = promisify(execFile)

test('the launcher reaches its instances although the environment names a proxy', async () => {
  const server = createServer((_, res) => void res.end('ready'))
  const port = await freePort()
  await new Promise<void>((resolve) => void server.listen(port, '127.0.0.1', resolve))
  const program = `const { isReady } = await import(process.argv[1]); console.log(await isReady(process.argv[2]))`
  const env = {
    ...process.env,
    NODE_USE_ENV_PROXY: '1',
    HTTP_PROXY: 'http://127.0.0.1:9',
    NO_PROXY: '',
  }
  const args = ['--input-type=module', '-e', program, import.meta.resolve('./http-ready.ts')]
  const { stdout } = await run(process.execPath, [...args, `http://127.0.0.1:${port}/`], { env })
  server.close()
  expect(stdout.trim()).toBe('true')
})
