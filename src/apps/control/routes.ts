import type { z } from "zod"
import {
  AskedAor,
  AskedBackup,
  AskedInvite,
  Backup,
  ChangePassword,
  Count,
  Drain,
  Found,
  Invite,
  NamedNode,
  NamedUser,
  Nothing,
  PutUsers,
  RevokedNode,
  Status,
  Users,
} from "./schemas.ts"

/** One operation of the control API: what the daemon serves, clients call, and OpenAPI describes. */
export interface Route<Request extends z.ZodType = z.ZodType, Response extends z.ZodType = z.ZodType> {
  readonly method: "GET" | "POST" | "PUT" | "DELETE"
  /** Names in braces are fields of the request; the other fields are the JSON body. */
  readonly path: string
  /** Served without the admin token. */
  readonly open: boolean
  readonly summary: string
  readonly request: Request
  readonly response: Response
}

const route = <Request extends z.ZodType, Response extends z.ZodType>(
  definition: Route<Request, Response>,
): Route<Request, Response> => definition

export const ROUTES = {
  status: route({
    method: "GET",
    path: "/api/status",
    open: true,
    summary: "The fabric as this node sees it, and this node's own part.",
    request: Nothing,
    response: Status,
  }),
  listUsers: route({
    method: "GET",
    path: "/api/users",
    open: false,
    summary: "All users of the fabric.",
    request: Nothing,
    response: Users,
  }),
  putUsers: route({
    method: "POST",
    path: "/api/users",
    open: false,
    summary:
      "Adds or imports users, all of them or none that is refused; every node knows them when it answers.",
    request: PutUsers,
    response: Count,
  }),
  changePassword: route({
    method: "PUT",
    path: "/api/users/{name}/password",
    open: false,
    summary: "Gives a user another password.",
    request: ChangePassword,
    response: NamedUser,
  }),
  removeUser: route({
    method: "DELETE",
    path: "/api/users/{name}",
    open: false,
    summary: "Removes a user and whatever is registered for it.",
    request: NamedUser,
    response: NamedUser,
  }),
  lookup: route({
    method: "GET",
    path: "/api/lookup/{aor}",
    open: false,
    summary: "Where an address-of-record is registered, who holds the record, and what finding it took.",
    request: AskedAor,
    response: Found,
  }),
  invite: route({
    method: "POST",
    path: "/api/invites",
    open: false,
    summary: "Makes an invite, which admits nodes to this fabric.",
    request: AskedInvite,
    response: Invite,
  }),
  revokeNode: route({
    method: "POST",
    path: "/api/nodes/{node}/revocation",
    open: false,
    summary: "Takes a node's certificate back, for good: no node hears it any longer.",
    request: NamedNode,
    response: RevokedNode,
  }),
  backup: route({
    method: "POST",
    path: "/api/backup",
    open: false,
    summary:
      "All that the fabric needs to rise again, sealed with a passphrase. Asked of a node that holds the CA.",
    request: AskedBackup,
    response: Backup,
  }),
  drain: route({
    method: "POST",
    path: "/api/drain",
    open: false,
    summary: "Hands over everything and takes no new work. Waits a while; ask again until it says drained.",
    request: Nothing,
    response: Drain,
  }),
} as const

export type Routes = typeof ROUTES
export type RouteName = keyof Routes

/** What a client gives. */
export type Asked<Name extends RouteName> = z.input<Routes[Name]["request"]>
/** What a handler gets: checked, defaults filled in. */
export type Request<Name extends RouteName> = z.output<Routes[Name]["request"]>
export type Answer<Name extends RouteName> = z.output<Routes[Name]["response"]>

/** The names in braces of a route's path. */
export const placeholders = (path: string): readonly string[] =>
  [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!)
