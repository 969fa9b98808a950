import { serveReplica } from './replica-program.ts'

let count = 0

serveReplica({
  async increment(by: number) {
    count += by
    return { count, instance: process.env.INSTANCE_ID }
  },
  async say(words: string) {
    process.stdout.write(`${words}\n`)
  },
  async fail() {
    throw Object.assign(new RangeError('out of luck'), { code: 'ELUCK' })
  },
  async hang() {
    await new Promise(() => undefined)
  },
})
