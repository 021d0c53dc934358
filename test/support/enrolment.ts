import assert from "node:assert/strict"
import { createServer, type Server } from "node:https"
import type { AddressInfo } from "node:net"
import type { TLSSocket } from "node:tls"
import type { Address } from "../../src/core/kit/address.ts"
import { MembershipError, type MembershipProblem } from "../../src/host/kit/membership-error.ts"
import type { Membership } from "../../src/host/membership/membership.ts"

const servers: Server[] = []

export function stopServers(): void {
  for (const server of servers.splice(0)) server.close().closeAllConnections()
}

/** Serves a member's enrolment as its node does: on a port of its own, under the certificate that it has at that moment. */
export async function serveEnrolment(member: Membership, enrolment = member.enrolment): Promise<Address> {
  const { certificate: cert, key } = member.fabricTls
  const options = { cert, key, requestCert: true, rejectUnauthorized: false, ALPNProtocols: ["http/1.1"] }
  const server = createServer(options, async (request, response) => {
    const chunks: Uint8Array[] = []
    for await (const chunk of request) chunks.push(chunk)
    const answer = await enrolment({
      method: request.method!,
      path: request.url!,
      headers: request.headers as Record<string, string>,
      body: Uint8Array.from(Buffer.concat(chunks)),
      clientCertificate: (request.socket as TLSSocket).getPeerX509Certificate()?.raw,
      remote: { host: "127.0.0.1", port: 6084 },
    })
    response.writeHead(answer.status, answer.headers).end(answer.body)
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return { host: "127.0.0.1", port: (server.address() as AddressInfo).port }
}

export const refused = (attempt: Promise<unknown>, problem: MembershipProblem, message: RegExp) =>
  assert.rejects(attempt, (cause) => {
    assert.ok(cause instanceof MembershipError, String(cause))
    assert.equal(cause.problem, problem, cause.message)
    assert.match(cause.message, message)
    return true
  })
