/** One setting of `up`: an option, a variable CARILLON_<NAME>, and a key of the file. */
export interface Flag {
  /** As it is written on the command line without dashes, and in the file: `sip-port`. */
  readonly name: string
  readonly value: string
  readonly help: string
  /** May be given more than once. */
  readonly repeats?: true
  /** Never shown in an error. */
  readonly secret?: true
}

export interface FlagGroup {
  readonly title: string
  readonly flags: readonly Flag[]
}

/** Every setting of `up`, in the order of its help. */
export const FLAG_GROUPS: readonly FlagGroup[] = [
  {
    title: "The fabric:",
    flags: [
      { name: "data", value: "<dir>", help: "data directory (default: ./carillon-data)" },
      { name: "domain", value: "<name>", help: "SIP domain of a new fabric (default: localhost)" },
      {
        name: "join",
        value: "<invite>",
        help: 'join the fabric of this invite ("carillon invite")',
        secret: true,
      },
      {
        name: "roles",
        value: "<role,…>",
        help: "functions this node serves (default: those of a farm node)",
      },
      {
        name: "enrolment-nodes",
        value: "<count>",
        help: "how many nodes hold the CA and admit others, 1 to 8 (default: 3)",
      },
      {
        name: "certificate-life",
        value: "<time>",
        help: "how long certificates last that this node issues: 60s to 365d (default: 90d)",
      },
      {
        name: "clock-bound",
        value: "<time>",
        help: "how far clocks may lie apart for a node to join: 1s to 60m (default: 30s)",
      },
      { name: "site", value: "<name>", help: "site this node stands in, its failure domain" },
      { name: "rack", value: "<name>", help: "rack this node stands in, its failure domain" },
      {
        name: "user",
        value: "<name:password>",
        help: "make this user, or give it this password; repeatable",
        repeats: true,
        secret: true,
      },
    ],
  },
  {
    title: "Addresses and ports (port 0: any free one):",
    flags: [
      { name: "host", value: "<address>", help: "IP address to bind (default: all)" },
      { name: "advertise", value: "<address>", help: "IP address to tell others (default: the bound one)" },
      { name: "sip-port", value: "<port>", help: "SIP over UDP and TCP (default: 5060)" },
      { name: "sips-port", value: "<port>", help: "SIP over TLS (default: 5061)" },
      { name: "reload-port", value: "<port>", help: "other nodes, over TLS (default: 6084)" },
      { name: "http-port", value: "<port>", help: "status page, control API, metrics (default: 8080)" },
      {
        name: "name-servers",
        value: "<address,…>",
        help: "name servers to ask, 192.0.2.1 or 192.0.2.1:53 (default: the system's)",
      },
      { name: "http-host", value: "<address>", help: "address of the HTTP port (default: loopback only)" },
    ],
  },
  {
    title: "Phones:",
    flags: [
      {
        name: "tls-cert",
        value: "<file>",
        help: "certificate for phones, PEM (default: the fabric's CA makes one)",
      },
      { name: "tls-key", value: "<file>", help: "its private key, PEM" },
      {
        name: "digest",
        value: "<algorithm,…>",
        help: "digest algorithms offered: md5, sha-256 (default: md5)",
      },
      {
        name: "udp",
        value: "<way>",
        help: "auto: many datagrams a system call where possible; plain: one by one (default: auto)",
      },
      {
        name: "trusted",
        value: "<network,…>",
        help: "networks (CIDR) exempt from rate limits, never from authentication (default: loopback; or none)",
      },
    ],
  },
  {
    title: "Logging:",
    flags: [
      { name: "log", value: "<format>", help: "plain or json, on standard error (default: plain)" },
      { name: "log-level", value: "<level>", help: "debug, info, warn or error (default: info)" },
      { name: "key-log", value: "<file>", help: "append TLS secrets for Wireshark; for tests only" },
    ],
  },
]

export const FLAGS: readonly Flag[] = FLAG_GROUPS.flatMap(({ flags }) => flags)

/** `CARILLON_SIP_PORT`. */
export const variableOf = (name: string): string => `CARILLON_${name.toUpperCase().replaceAll("-", "_")}`

/** `sipPort`, as commander and the schema spell it. */
export const keyOf = (name: string): string =>
  name.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase())
