import type { NodeAnswer, NodeCommand, NodeStatus } from "../../core/node/interface.ts"
import type { StorageChange } from "../../core/storage/change.ts"

/** The node that runs, as enrolment, renewal and backup need it. */
export interface RunningFabric {
  /** Living nodes, this one included. */
  nodes(): NodeStatus["nodes"]
  command(command: NodeCommand): Promise<NodeAnswer>
  /** All that this node holds. */
  snapshot(): readonly StorageChange[]
  /** A newer signed configuration document is to take effect, here and on all nodes. */
  reconfigure(document: string): void
}
