import { parseNodeId } from "../../core/identity/node-id.ts"
import { ENROLMENT } from "../../core/identity/roles.ts"
import { CarillonError } from "../../core/kit/errors.ts"
import type { NodeStatus } from "../../core/node/interface.ts"
import type { Membership } from "../../host/membership/membership.ts"
import { ControlError } from "../control/control-error.ts"
import type { Controlled } from "./handlers.ts"

const WHOLE = /^[0-9a-f]{32}$/

/** Takes nodes' certificates back: the fabric hears them no longer. Named by their Node-ID, or how it begins. */
export function revoker(
  membership: Pick<Membership, "revoke" | "identity">,
  status: () => Pick<NodeStatus, "nodes">,
): Controlled["revoke"] {
  return async (named) => {
    const { nodes } = status()
    const meant = nodes.filter(({ node }) => node.startsWith(named))
    if (meant.length > 1)
      throw new ControlError(
        400,
        "bad-node",
        `${meant.length} nodes begin with ${named}: give more of the Node-ID`,
      )
    const node = meant[0]?.node ?? named
    if (!WHOLE.test(node))
      throw new ControlError(
        404,
        "no-such-node",
        `no living node begins with ${named}: give all 32 digits of its Node-ID`,
      )
    if (node === membership.identity.nodeId)
      throw new ControlError(
        409,
        "own-node",
        "a node does not revoke itself: drain and stop it, or ask another node",
      )
    const holders = nodes.filter(({ roles }) => roles.includes(ENROLMENT))
    if (holders.length === 1 && holders[0]!.node === node)
      throw new ControlError(
        409,
        "last-authority",
        `${node} alone holds the CA, which the fabric would lose with it`,
      )
    try {
      await membership.revoke(parseNodeId(node))
    } catch (error) {
      if (error instanceof CarillonError && error.code.startsWith("membership."))
        throw new ControlError(503, error.code, error.message)
      throw error
    }
    return { node, heldAuthority: holders.some((each) => each.node === node) }
  }
}
