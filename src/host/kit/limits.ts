import { milliseconds, minutes, seconds } from "../../core/kit/time.ts"

/** What the outside can make this process hold or wait for. One place, so that it can be reviewed. */
export const HOST_LIMITS = {
  /** SIP over TCP and TLS. */
  streams: {
    connections: 32_768,
    /** An office behind one NAT address is many phones. */
    connectionsPerSource: 4_096,
    connectTimeout: seconds(4),
    handshakeTimeout: seconds(10),
    /** Within this a new connection must deliver a message, or a message that was begun must be complete. */
    messageTimeout: seconds(30),
    /** A phone may stay silent between two refreshes, which come at least hourly. */
    idleTimeout: minutes(120),
    sweepInterval: seconds(5),
    /** Written but not yet taken by the peer; beyond, it does not read and is closed. */
    unreadBytes: 1_048_576,
    /** Messages that wait for a connection to come up. */
    waitingMessages: 256,
    /** From our `end` to the peer's; then the connection is cut. */
    lingerTimeout: seconds(5),
  },
  /** Of one turn of the event loop, so that links are heard in between: SIP messages, and new TLS connections. */
  turns: {
    messages: { budget: 10, most: 1_000 },
    handshakes: { budget: 10, most: 8 },
    /** SIP messages that wait for their turn; beyond, datagrams are dropped, and will come again. */
    waiting: 8_192,
  },
  /** RELOAD links. */
  links: {
    connections: 8_192,
    connectionsPerSource: 2_048,
    unreadBytes: 33_554_432,
    lingerTimeout: seconds(2),
  },
  datagrams: {
    /** Asked of the kernel, which may grant less. */
    bufferBytes: 4_194_304,
    /** Handed to the kernel's queue but not yet sent; beyond, sends fail. */
    unsentBytes: 16_777_216,
    /** Senders whose flow is remembered. */
    flows: 65_536,
  },
  enrolment: { bodyBytes: 1_048_576, headerBytes: 16_384, timeout: seconds(10), connections: 64 },
  dns: { timeout: seconds(2), questions: 1_024, records: 64 },
  /** Addresses remembered for a restart. */
  peers: { addresses: 1_024 },
  /** Longest single wait of the loop: timers of the platform overflow at 2^31 ms. */
  loop: { longestWait: milliseconds(60_000) },
} as const
