import { z } from "zod"
import { placeholders, ROUTES, type Route } from "./routes.ts"
import { Problem } from "./schemas.ts"

type JsonSchema = Readonly<Record<string, unknown>>

/** The OpenAPI 3.1 document of the control API. */
export function openApi(version: string): JsonSchema {
  const paths: Record<string, Record<string, JsonSchema>> = {}
  for (const [name, route] of Object.entries(ROUTES)) {
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operation(name, route) }
  }
  return {
    openapi: "3.1.0",
    info: { title: "Carillon control API", version, license: { name: "Apache-2.0" } },
    components: {
      securitySchemes: {
        adminToken: {
          type: "http",
          scheme: "bearer",
          description: "The content of the file admin-token in the node's data directory.",
        },
      },
    },
    paths,
  }
}

function operation(name: string, route: Route): JsonSchema {
  const inPath = placeholders(route.path)
  const { properties, required, ...request } = schemaOf(route.request, "input")
  const fields = (properties ?? {}) as Readonly<Record<string, JsonSchema>>
  const inBody = Object.entries(fields).filter(([field]) => !inPath.includes(field))
  const body = {
    ...request,
    properties: Object.fromEntries(inBody),
    required: ((required ?? []) as readonly string[]).filter((field) => !inPath.includes(field)),
  }
  return {
    operationId: name,
    summary: route.summary,
    security: route.open ? [] : [{ adminToken: [] }],
    parameters: inPath.map((field) => ({ name: field, in: "path", required: true, schema: fields[field] })),
    ...(inBody.length === 0 ? {} : { requestBody: { required: true, content: json(body) } }),
    responses: {
      200: { description: "Done.", content: json(schemaOf(route.response, "output")) },
      default: { description: "Not done, and why.", content: json(schemaOf(Problem, "output")) },
    },
  }
}

const json = (schema: JsonSchema) => ({ "application/json": { schema } })

function schemaOf(schema: z.ZodType, io: "input" | "output"): JsonSchema {
  const { $schema, ...rest } = z.toJSONSchema(schema, { io })
  return rest
}
