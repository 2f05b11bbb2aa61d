// A server that does nothing: it answers +OK for every so many bytes. What a load generator reaches against it is the
// most it could ever show; a figure near that is the generator's and not the server's.
//
//   npx tsx null-server-main.ts REQUEST_BYTES         prints its port

import { createServer } from 'node:net'

const requestBytes = Number(process.argv[2])
const many = Buffer.from('+OK\r\n'.repeat(10_000))

const server = createServer((socket) => {
  let bytes = 0
  socket.on('error', () => {})
  socket.on('data', (chunk) => {
    bytes += chunk.length
    const requests = Math.floor(bytes / requestBytes)
    bytes -= requests * requestBytes
    for (let left = requests; left > 0; left -= 10_000) socket.write(many.subarray(0, Math.min(left, 10_000) * 5))
  })
})
server.listen(0, '127.0.0.1', () => console.log((server.address() as { port: number }).port))
process.stdin.resume().on('end', () => process.exit(0))
