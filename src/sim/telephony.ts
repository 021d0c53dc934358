import { type Duration, seconds } from "../core/kit/time.ts"
import type { SimHost } from "./sim-host.ts"
import type { PhoneEvent, SimPhone } from "./sim-phone.ts"
import type { PhoneSettings, World } from "./world.ts"

// What stories tell of users and phones. Whatever waits, lets the world's time pass.

/** A call between two phones of the world. */
export interface Call {
  readonly id: string
  readonly caller: SimPhone
  readonly callee: SimPhone
}

type CallEvent = Exclude<PhoneEvent, { kind: "registered" }>

/** An INVITE may be sent for so long, RFC 3261's timer B; a little more for the way back. */
const PATIENCE = seconds(40)

export const userNames = (count: number, prefix = "user"): readonly string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}`)

/** Adds users, through that node; their passwords are their names. */
export function addUsers(world: World, host: SimHost, names: readonly string[]): void {
  const users = names.map((name) => ({ name, password: name }))
  const answer = world.command(host, { kind: "put-users", mode: "add", users })
  if (answer.kind !== "users-put") throw new Error(`${host.host} adds no users: ${JSON.stringify(answer)}`)
}

/** A phone of a user who has been added with `addUsers`. */
export function phoneOf(
  world: World,
  node: SimHost,
  user: string,
  settings: Partial<PhoneSettings> = {},
): SimPhone {
  return world.phone(node, { user, password: user, ...settings })
}

/** Registers, and gives the final status: 408 where no answer came. 0 seconds remove. */
export function register(
  world: World,
  phone: SimPhone,
  lifetime = 3_600,
  options: { readonly everything?: boolean } = {},
): number {
  const seen = phone.all("registered").length
  phone.tell({ kind: "register", seconds: lifetime, ...options })
  world.runUntil(() => phone.all("registered").length > seen, PATIENCE)
  return phone.all("registered")[seen]?.status ?? 408
}

/** Begins a call, and does not wait. */
export function dial(world: World, caller: SimPhone, callee: SimPhone): Call {
  const id = `call-${world.nextNumber()}`
  caller.tell({ kind: "call", call: id, target: `sip:${callee.agent.settings.user}@${world.domain}` })
  return { id, caller, callee }
}

/** The final status of the INVITE, as soon as there is one: 408 where none came. */
export function outcome(world: World, call: Call): number {
  world.runUntil(() => answerTo(call) !== undefined, PATIENCE)
  return answerTo(call)?.status ?? 408
}

/** Calls, and waits until both ends know that the call stands, or that it does not: then the status. */
export function talk(world: World, caller: SimPhone, callee: SimPhone): Call | number {
  const call = dial(world, caller, callee)
  const status = outcome(world, call)
  if (status !== 200) return status
  world.runUntil(() => eventsOf(callee, "call-confirmed", call).length > 0, PATIENCE)
  return call
}

/** One end hangs up; undefined where both ends learn of it, otherwise what went wrong. */
export function hangUp(world: World, call: Call, by: "caller" | "callee" = "caller"): string | undefined {
  const [one, other] = by === "caller" ? [call.caller, call.callee] : [call.callee, call.caller]
  one.tell({ kind: "hang-up", call: call.id })
  const ended = (phone: SimPhone) => eventsOf(phone, "call-ended", call)[0]
  world.runUntil(() => ended(one) !== undefined, PATIENCE)
  const [here, there] = [ended(one), ended(other)]
  if (here?.status !== 200) return `${call.id}: the BYE of the ${by} ends in ${here?.status ?? "silence"}`
  return there?.by === "them" ? undefined : `${call.id}: the other end has not heard the BYE of the ${by}`
}

/** One end sends a re-INVITE; its final status, 408 where none came. */
export function reInvite(world: World, call: Call, by: "caller" | "callee" = "caller"): number {
  const phone = call[by]
  const seen = eventsOf(phone, "re-invited", call).length
  phone.tell({ kind: "re-invite", call: call.id })
  world.runUntil(() => eventsOf(phone, "re-invited", call).length > seen, PATIENCE)
  return eventsOf(phone, "re-invited", call)[seen]?.status ?? 408
}

/** Lets time pass until nothing is amiss any more; throws what still is after `patience`. */
export function eventually(
  world: World,
  complaint: () => string | undefined,
  patience: Duration = seconds(60),
): void {
  const end = world.now + patience
  for (let found = complaint(); found !== undefined; found = complaint()) {
    if (world.now >= end) throw new Error(found)
    world.run(STEP)
  }
}

const STEP = seconds(0.25)

const answerTo = (call: Call) => eventsOf(call.caller, "call-answered", call)[0]

/** What happened to a call at one of its ends. */
function eventsOf<Kind extends CallEvent["kind"]>(
  phone: SimPhone,
  kind: Kind,
  { id }: Call,
): readonly Extract<CallEvent, { kind: Kind }>[] {
  return phone.events.filter(
    (event): event is Extract<CallEvent, { kind: Kind }> => event.kind === kind && event.call === id,
  )
}
