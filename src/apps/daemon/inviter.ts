import { DEFAULT_ROLES } from "../../core/identity/roles.ts"
import { seconds } from "../../core/kit/time.ts"
import type { NodeStatus } from "../../core/node/interface.ts"
import type { Membership } from "../../host/membership.ts"
import type { Controlled } from "./handlers.ts"

export function inviter(membership: Membership, _status: () => NodeStatus): Controlled["invite"] {
  return async ({ roles, uses, expiresSeconds }) => {
    const invite = await membership.invite({
      roles: roles ?? DEFAULT_ROLES,
      uses,
      expires: seconds(expiresSeconds),
    })
    return { invite, expires: new Date(Date.now() + expiresSeconds * 1_000) }
  }
}
