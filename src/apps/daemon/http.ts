import { createHash, timingSafeEqual } from "node:crypto"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import { type Address, formatAddress } from "../../core/kit/address.ts"
import { CarillonError, InvariantError } from "../../core/kit/errors.ts"
import { type CountEffect, count, log } from "../../core/kit/log.ts"
import type { Health } from "../../core/node/interface.ts"
import { ControlError } from "../control/control-error.ts"
import { openApi } from "../control/openapi.ts"
import { STATUS_PAGE, STATUS_PAGE_POLICY } from "../web/status-page.ts"
import { answerOf, type Handlers, matchRoute } from "./dispatch.ts"
import type { Log } from "./log.ts"

/** A batch of a thousand users with the longest names and passwords fits. */
const MAX_BODY_BYTES = 1_000_000
/** A client that has not sent its whole request by then is gone, or means harm. */
const REQUEST_PATIENCE = 10_000
const MAX_CONNECTIONS = 256

export interface HttpSettings {
  readonly version: string
  readonly token: string
  readonly handlers: Handlers
  readonly health: () => Health
  /** Prometheus text. */
  readonly metrics: () => Promise<string>
  readonly count: (effect: CountEffect) => void
  readonly log: Log
}

interface Reply {
  readonly status: number
  readonly type: string
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

/** The HTTP port cannot be listened on. */
export class HttpPortError extends CarillonError {
  readonly code = "http-port"
}

/** Serves the page, the control API, health and metrics. */
export function createHttp(settings: HttpSettings): Server {
  const patience = { connectionsCheckingInterval: REQUEST_PATIENCE / 2 }
  const server = createServer(patience, (request, response) => {
    void serve(settings, request).then((reply) => {
      const { status } = reply
      // Ill health is an answer, and has a gauge of its own.
      if (status >= 400 && request.url !== "/healthz")
        settings.count(count("http_refused_total", { status: `${status}` }))
      write(request, response, reply)
    })
  })
  server.headersTimeout = REQUEST_PATIENCE
  server.requestTimeout = REQUEST_PATIENCE
  server.maxConnections = MAX_CONNECTIONS
  server.on("drop", () =>
    settings.count(count("host_connections_refused_total", { listener: "http", cause: "too-many" })),
  )
  return server
}

/** Answers the port; throws HttpPortError, whose message names port, address and remedy. */
export function listenHttp(server: Server, { host, port }: Address): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const where = `HTTP port ${formatAddress({ host, port })}`
      reject(
        error.code === "EADDRINUSE"
          ? new HttpPortError(`${where} is taken by another program; stop it or choose another --http-port`)
          : new HttpPortError(
              `${where} cannot be bound (${error.code}); choose another --http-host or --http-port`,
            ),
      )
    })
    server.listen(port, host, () => {
      const bound = server.address()
      resolve(typeof bound === "object" && bound !== null ? bound.port : port)
    })
  })
}

async function serve(settings: HttpSettings, request: IncomingMessage): Promise<Reply> {
  try {
    return await route(settings, request)
  } catch (error) {
    if (error instanceof ControlError) return problem(error)
    // A fault of ours stops the process: the node's state can no longer be trusted.
    if (error instanceof InvariantError)
      setImmediate(() => {
        throw error
      })
    const cause = error instanceof Error ? (error.stack ?? error.message) : String(error)
    settings.log(log("error", "http.failed", { method: request.method, path: request.url, cause }))
    return problem(new ControlError(500, "internal", "the node failed on this request; its log says why"))
  }
}

async function route(settings: HttpSettings, request: IncomingMessage): Promise<Reply> {
  const path = (request.url ?? "/").split("?", 1)[0]!
  const method = request.method === "HEAD" ? "GET" : request.method!
  if (method === "GET") {
    const reply = await readOnly(settings, path)
    if (reply !== undefined) return reply
  }
  const match = matchRoute(method, path)
  if (!match.route.open && !isAdmin(request.headers.authorization, settings.token)) throw noToken()
  const body = match.takesBody ? await readJson(request) : {}
  return json(200, await answerOf(settings.handlers, match, body))
}

/** What is open to everyone who reaches the port. */
async function readOnly(settings: HttpSettings, path: string): Promise<Reply | undefined> {
  switch (path) {
    case "/":
      return {
        status: 200,
        type: "text/html; charset=utf-8",
        body: STATUS_PAGE,
        headers: { "content-security-policy": STATUS_PAGE_POLICY },
      }
    case "/healthz": {
      const health = settings.health()
      return json(health.state === "healthy" ? 200 : 503, health)
    }
    case "/metrics":
      return { status: 200, type: "text/plain; version=0.0.4; charset=utf-8", body: await settings.metrics() }
    case "/api/openapi.json":
      return json(200, openApi(settings.version))
    default:
      return undefined
  }
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const text = await readText(request)
  if (text === "") return {}
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new ControlError(400, "bad-request", `the body is not JSON: ${(error as Error).message}`)
  }
}

async function readText(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  let size = 0
  try {
    for await (const part of request as AsyncIterable<Buffer>) {
      size += part.length
      if (size > MAX_BODY_BYTES) break
      parts.push(part)
    }
  } catch (error) {
    throw new ControlError(400, "aborted", `the body broke off: ${(error as Error).message}`)
  }
  if (size > MAX_BODY_BYTES)
    throw new ControlError(
      413,
      "too-large",
      `the body is larger than ${MAX_BODY_BYTES} bytes; send smaller batches`,
    )
  return Buffer.concat(parts).toString("utf8")
}

/** Compared as digests, so that time tells nothing of the token. */
function isAdmin(authorization: string | undefined, token: string): boolean {
  const given = /^Bearer +(\S+) *$/i.exec(authorization ?? "")?.[1]
  return given !== undefined && timingSafeEqual(digest(given), digest(token))
}

const digest = (text: string) => createHash("sha256").update(text).digest()

const noToken = () =>
  new ControlError(
    401,
    "no-token",
    "this needs the admin token: the file admin-token in the node's data directory (--data), or give it with --token or CARILLON_TOKEN",
  )

const json = (status: number, value: unknown): Reply => ({
  status,
  type: "application/json",
  body: `${JSON.stringify(value)}\n`,
})

function problem({ status, code, message, fields }: ControlError): Reply {
  const reply = json(status, fields.length === 0 ? { code, message } : { code, message, fields })
  const headers = { 401: { "www-authenticate": "Bearer" }, 503: { "retry-after": "5" } }[status]
  return headers === undefined ? reply : { ...reply, headers }
}

function write(request: IncomingMessage, response: ServerResponse, reply: Reply): void {
  // A body that nobody has read would be taken for the next request.
  if (!request.complete) response.shouldKeepAlive = false
  response.writeHead(reply.status, {
    "content-type": reply.type,
    "content-length": Buffer.byteLength(reply.body),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    ...reply.headers,
  })
  response.end(request.method === "HEAD" ? undefined : reply.body)
}
