import type { z } from "zod"
import { ControlError } from "../control/control-error.ts"
import {
  type Answer,
  placeholders,
  type Request,
  ROUTES,
  type Route,
  type RouteName,
} from "../control/routes.ts"

/** One function for each route; what it throws as ControlError is answered so. */
export type Handlers = { readonly [Name in RouteName]: (request: Request<Name>) => Promise<Answer<Name>> }

export interface Match {
  readonly name: RouteName
  readonly route: Route
  /** The path's placeholders, decoded. */
  readonly params: Readonly<Record<string, string>>
  readonly takesBody: boolean
}

interface Pattern {
  readonly name: RouteName
  readonly route: Route
  readonly expression: RegExp
}

const PATTERNS: readonly Pattern[] = Object.entries(ROUTES).map(([name, route]) => ({
  name: name as RouteName,
  route,
  expression: new RegExp(`^${route.path.replaceAll(".", "\\.").replaceAll(/\{(\w+)\}/g, "(?<$1>[^/]+)")}$`),
}))

/** The route of a request; throws ControlError 404 or 405. */
export function matchRoute(method: string, path: string): Match {
  const atPath = PATTERNS.filter(({ expression }) => expression.test(path))
  const found = atPath.find(({ route }) => route.method === method)
  if (found === undefined) {
    if (atPath.length === 0)
      throw new ControlError(404, "not-found", `there is nothing at ${path}; see /api/openapi.json`)
    const methods = atPath.map(({ route }) => route.method).join(", ")
    throw new ControlError(405, "method", `${path} takes ${methods}, not ${method}`)
  }
  const groups = Object.entries(found.expression.exec(path)?.groups ?? {})
  const params = Object.fromEntries(groups.map(([name, text]) => [name, decodePart(text)]))
  return { name: found.name, route: found.route, params, takesBody: method !== "GET" }
}

/** Checks what was asked, has it done, and answers. Throws ControlError 400 that names each bad field. */
export async function answerOf(
  handlers: Handlers,
  { name, route, params }: Match,
  body: unknown,
): Promise<unknown> {
  const fields = typeof body === "object" && body !== null && !Array.isArray(body) ? body : undefined
  if (fields === undefined) throw new ControlError(400, "bad-request", "the body is not a JSON object")
  const inPath = placeholders(route.path)
  const astray = inPath.find((field) => Object.hasOwn(fields, field))
  if (astray !== undefined)
    throw new ControlError(400, "bad-request", `${astray} stands in the path; leave it out of the body`)
  const checked = route.request.safeParse({ ...fields, ...params })
  if (!checked.success) throw badRequest(checked.error)
  const handler = handlers[name] as (request: unknown) => Promise<unknown>
  return handler(checked.data)
}

function badRequest(error: z.ZodError): ControlError {
  const fields = error.issues.map(({ path, message }) => ({ field: path.join("."), problem: message }))
  const first = fields[0]!
  return new ControlError(400, "bad-request", `${first.field}: ${first.problem}`, fields)
}

function decodePart(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new ControlError(400, "bad-request", `"${text}" in the path is not percent-encoded UTF-8`)
  }
}
