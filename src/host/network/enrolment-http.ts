import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { TLSSocket } from "node:tls"
import { formatAddress } from "../../core/kit/address.ts"
import { count, log } from "../../core/kit/log.ts"
import type { EnrolmentHttpRequest, EnrolmentHttpResponse, HostSettings } from "../kit/interface.ts"
import { HOST_LIMITS } from "../kit/limits.ts"
import { PROBLEM_HEADER } from "./enrolment-answers.ts"
import { remoteOf } from "./listen.ts"

type Handler = (request: EnrolmentHttpRequest) => Promise<EnrolmentHttpResponse>

export interface EnrolmentHttp {
  /** Serves one request on a connection whose handshake is done, then closes it. False: too many already. */
  serve(socket: TLSSocket): boolean
}

/** HTTP/1.1 on connections that others accepted: one request each, bounded in size and time. */
export function createEnrolmentHttp(
  enrol: Handler,
  report: Pick<HostSettings, "log" | "count">,
): EnrolmentHttp {
  const { timeout, headerBytes, connections } = HOST_LIMITS.enrolment
  let open = 0
  const handle: Handler = async (request) => {
    const response = await enrol(request)
    if (response.status >= 400) tellRefusal(request, response, report)
    return response
  }
  const server = createServer({ maxHeaderSize: headerBytes }, (request, response) => {
    answer(request, response, handle).catch((cause) => {
      report.log(log("error", "host.enrolment-failed", { cause: (cause as Error).stack }))
      respond(response, { status: 500, headers: {}, body: new Uint8Array() })
    })
  })
  return {
    serve(socket) {
      if (open >= connections) {
        socket.destroy()
        return false
      }
      open++
      const cut = setTimeout(() => socket.destroy(), timeout)
      socket.once("close", () => {
        open--
        clearTimeout(cut)
      })
      server.emit("connection", socket)
      return true
    },
  }
}

function tellRefusal(
  { method, path, remote }: EnrolmentHttpRequest,
  { status, headers }: EnrolmentHttpResponse,
  report: Pick<HostSettings, "log" | "count">,
): void {
  const cause = headers[PROBLEM_HEADER] ?? `${status}`
  report.count(count("host_enrolment_refused_total", { cause }))
  report.log(log("info", "host.enrolment-refused", { cause, method, path, remote: formatAddress(remote) }))
}

async function answer(request: IncomingMessage, response: ServerResponse, handle: Handler): Promise<void> {
  const body = await readBody(request)
  if (body === undefined) {
    respond(response, { status: 413, headers: {}, body: new Uint8Array() })
    return
  }
  const headers = Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
  )
  const certificate = (request.socket as TLSSocket).getPeerX509Certificate()
  const result = await handle({
    method: request.method ?? "",
    path: request.url ?? "",
    headers,
    body,
    clientCertificate: certificate?.raw,
    remote: remoteOf(request.socket),
  })
  respond(response, result)
}

/** Undefined where it is too long; a connection that breaks off leaves the promise for the collector. */
function readBody(request: IncomingMessage): Promise<Uint8Array | undefined> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let length = 0
    request.on("data", (chunk: Buffer) => {
      length += chunk.length
      if (length <= HOST_LIMITS.enrolment.bodyBytes) chunks.push(chunk)
      else {
        request.pause()
        resolve(undefined)
      }
    })
    request.once("end", () => resolve(Buffer.concat(chunks)))
  })
}

function respond(response: ServerResponse, { status, headers, body }: EnrolmentHttpResponse): void {
  if (response.headersSent) return
  response.writeHead(status, { ...headers, "content-length": body.length, connection: "close" })
  response.end(body)
}
