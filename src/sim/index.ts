// The door `carillon/sim`: the invented world, for stories of one's own. The only file of this room that
// gathers others; inside the house one imports from the file that defines.

export { after, type Duration, type Instant, milliseconds, minutes, seconds } from "../core/kit/time.ts"
export {
  bindingsComplaint,
  copiesComplaint,
  listComplaint,
  living,
  ringComplaint,
  ringsComplaint,
  usersComplaint,
} from "./checkers.ts"
export type { Conditions } from "./conditions.ts"
export { openSslHashes } from "./hashes.ts"
export { type ScenarioConditions, scenario } from "./scenario.ts"
export type { SimHost } from "./sim-host.ts"
export type { PhoneEvent, SimPhone } from "./sim-phone.ts"
export {
  addUsers,
  type Call,
  dial,
  eventually,
  hangUp,
  outcome,
  phoneOf,
  register,
  reInvite,
  talk,
  userNames,
} from "./telephony.ts"
export { type PhoneSettings, World } from "./world.ts"
