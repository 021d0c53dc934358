import type { Ask } from "./measure.ts"
import type { RivalName } from "./rivals.ts"

/** A line of the table: the same for each of its rivals, the first of which the others are compared with. */
export interface Workload {
  readonly name: string
  readonly title: string
  readonly users: number
  readonly rivals: readonly (readonly [RivalName, Omit<Ask, "users">])[]
}

const MANY = 256
const FEW = 8
const USERS = 2_000

type Options = Partial<Omit<Ask, "users">>

/** The npm package is so slow that with more it would be measured by its queue. */
const fit = (name: RivalName, ask: Omit<Ask, "users">) =>
  name === "npm sip" ? { ...ask, outstanding: Math.min(ask.outstanding, 32) } : ask

const all = (ask: Omit<Ask, "users">, names: readonly RivalName[]) =>
  names.map((name) => [name, fit(name, ask)] as const)

const register = (workload: Ask["workload"], options: Options = {}): Omit<Ask, "users"> => ({
  workload,
  digest: true,
  outstanding: MANY,
  ...options,
})

const EVERYBODY: readonly RivalName[] = [
  "kamailio -x fm",
  "kamailio, default allocator",
  "carillon",
  "carillon, plain UDP",
  "npm sip",
]
const TWO: readonly RivalName[] = ["kamailio -x fm", "carillon"]

/** Carillon has no mode without passwords, so its refresh checks one where Kamailio's does not. */
const openRefresh = (outstanding: number): Workload["rivals"] => [
  ["kamailio -x fm", register("register-plain", { digest: false, outstanding })],
  ["kamailio, default allocator", register("register-plain", { digest: false, outstanding })],
  ["carillon", register("register-refresh", { outstanding })],
  ["carillon, plain UDP", register("register-refresh", { outstanding })],
  ["npm sip", fit("npm sip", register("register-plain", { digest: false, outstanding }))],
]

export const WORKLOADS: readonly Workload[] = [
  {
    name: "refresh",
    title: "REGISTER refresh; Carillon checks credentials, the others none",
    users: USERS,
    rivals: openRefresh(MANY),
  },
  {
    name: "refresh-8",
    title: "the same, 8 outstanding",
    users: USERS,
    rivals: openRefresh(FEW).filter(([name]) => TWO.includes(name)),
  },
  {
    name: "refresh-digest",
    title: "REGISTER refresh, all check credentials",
    users: USERS,
    rivals: all(register("register-refresh"), TWO),
  },
  {
    name: "digest",
    title: "REGISTER with digest, challenge and answer",
    users: USERS,
    rivals: all(register("register-digest"), EVERYBODY),
  },
  {
    name: "digest-8",
    title: "the same, 8 outstanding",
    users: USERS,
    rivals: all(register("register-digest", { outstanding: FEW }), TWO),
  },
  {
    name: "options",
    title: "OPTIONS, stateless",
    users: FEW,
    rivals: all(register("options", { digest: false }), EVERYBODY),
  },
  {
    name: "options-8",
    title: "the same, 8 outstanding",
    users: FEW,
    rivals: all(register("options", { digest: false, outstanding: FEW }), TWO),
  },
  {
    name: "calls",
    title: "calls relayed between two registered phones, INVITE with digest",
    users: 2 * MANY,
    rivals: all(register("calls", { outstanding: 128 }), [
      "kamailio -x fm",
      "kamailio, default allocator",
      "carillon",
      "carillon, plain UDP",
    ]),
  },
  {
    name: "calls-8",
    title: "the same, 8 outstanding",
    users: 2 * MANY,
    rivals: all(register("calls", { outstanding: FEW }), TWO),
  },
  {
    name: "fabric",
    title: "REGISTER refresh at one node of three, its own processor time",
    users: USERS,
    rivals: all(register("register-refresh"), ["carillon", "carillon, 3 nodes"]),
  },
  {
    name: "change",
    title: "REGISTER that changes the Contact, first node's processor time",
    users: USERS,
    rivals: all(register("register-change"), ["carillon", "carillon, 3 nodes"]),
  },
]
