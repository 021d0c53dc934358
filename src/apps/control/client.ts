import { ControlError, UnreachableError } from "./control-error.ts"
import { type Answer, type Asked, placeholders, ROUTES, type Route, type RouteName } from "./routes.ts"
import { Problem } from "./schemas.ts"

/** Long enough for a drain's and a large batch's answer; the daemon answers sooner, if only with an error. */
const PATIENCE = 60_000

/** Calls the control API of a running node. */
export class ControlClient {
  readonly #base: URL
  readonly #token: string | undefined

  /** `base` such as `http://127.0.0.1:8080`. */
  constructor(base: URL, token: string | undefined) {
    this.#base = base
    this.#token = token
  }

  /** Throws ControlError where the node refuses, UnreachableError where none answers. */
  async call<Name extends RouteName>(name: Name, asked: Asked<Name>): Promise<Answer<Name>> {
    const route: Route = ROUTES[name]
    const { path, body } = address(route, asked as Readonly<Record<string, unknown>>)
    const response = await this.#fetch(route.method, path, body)
    const answer = await this.#read(response)
    if (!response.ok) throw refusal(response.status, answer)
    const checked = route.response.safeParse(answer)
    if (!checked.success) throw this.#stranger(`its answer to ${route.method} ${path} is not ours`)
    return checked.data as Answer<Name>
  }

  async #fetch(method: string, path: string, body: string | undefined): Promise<Response> {
    // A kept connection may be closed by the node just when the next call goes out on it, and then that call has failed.
    const headers = {
      connection: "close",
      ...(this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    }
    try {
      const signal = AbortSignal.timeout(PATIENCE)
      const url = new URL(path, this.#base)
      return await fetch(url, { method, headers, signal, ...(body === undefined ? {} : { body }) })
    } catch (error) {
      throw new UnreachableError(
        `no Carillon answers at ${this.#base.origin} (${reasonOf(error)}); start one with "carillon up", or name another with --http`,
        { cause: error },
      )
    }
  }

  async #read(response: Response): Promise<unknown> {
    try {
      return await response.json()
    } catch {
      throw this.#stranger(`it answered ${response.status} without JSON`)
    }
  }

  #stranger(why: string): UnreachableError {
    return new UnreachableError(
      `what answers at ${this.#base.origin} is not a Carillon of this version (${why}); name the right one with --http`,
    )
  }
}

/** Puts what is asked where the route wants it: placeholders into the path, the rest into the body. */
function address(route: Route, asked: Readonly<Record<string, unknown>>) {
  const inPath = placeholders(route.path)
  const path = route.path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(String(asked[name])),
  )
  const rest = Object.entries(asked).filter(([name]) => !inPath.includes(name))
  const body =
    route.method === "GET" || rest.length === 0 ? undefined : JSON.stringify(Object.fromEntries(rest))
  return { path, body }
}

function refusal(status: number, answer: unknown): ControlError {
  const problem = Problem.safeParse(answer)
  if (!problem.success) return new ControlError(status, "unknown", `the node answered ${status}`)
  const { code, message, fields } = problem.data
  return new ControlError(status, code, message, fields)
}

/** Undici hides the system's error, such as ECONNREFUSED, one or two causes deep. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.name === "TimeoutError") return `no answer within ${PATIENCE / 1_000} s`
  const { cause } = error
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : undefined
  if (code === "ECONNREFUSED") return "connection refused"
  return code ?? (cause instanceof Error ? cause.message : error.message)
}
