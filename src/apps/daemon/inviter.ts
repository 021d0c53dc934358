import { ENROLMENT } from "../../core/identity/roles.ts"
import { CarillonError, FormatError } from "../../core/kit/errors.ts"
import { parseAddress } from "../../core/kit/parse-address.ts"
import { seconds } from "../../core/kit/time.ts"
import type { NodeStatus } from "../../core/node/interface.ts"
import type { Membership } from "../../host/membership/membership.ts"
import { ControlError } from "../control/control-error.ts"
import type { Controlled } from "./handlers.ts"

/** Makes invites that lead to the enrolment nodes that live now, wherever they were when the fabric began. */
export function inviter(membership: Membership, status: () => NodeStatus): Controlled["invite"] {
  return async ({ roles, uses, expiresSeconds }) => {
    const living = status()
      .nodes.filter((node) => node.roles.includes(ENROLMENT))
      .flatMap(({ address }) => parseAddress(address) ?? [])
    try {
      const invite = await membership.invite({
        uses,
        expires: seconds(expiresSeconds),
        ...(roles === undefined ? {} : { roles }),
        ...(living.length === 0 ? {} : { addresses: living }),
      })
      return { invite, expires: new Date(Date.now() + expiresSeconds * 1_000) }
    } catch (error) {
      if (error instanceof FormatError) throw new ControlError(400, "bad-invite", error.message)
      if (error instanceof CarillonError && error.code.startsWith("membership."))
        throw new ControlError(503, error.code, error.message)
      throw error
    }
  }
}
