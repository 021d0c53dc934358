// What others may make us hold or do, at most. One place, so that the bounds can be seen together.

export const LIMITS = {
  sip: {
    /** Requests taken and not finally answered; over it, 503 with Retry-After. */
    pendingTransactions: 50_000,
    /** Server transactions in all, those included that only wait for repetitions. */
    transactions: 1_000_000,
    /** What such a 503 says in Retry-After. */
    retryAfterSeconds: 5,
    /** RFC 5393 §5.3.3: branches of a request at once, here and behind, where it does not ask for fewer. */
    breadth: 60,
    /** Targets that one request may have, fallbacks not counted. */
    targets: 64,
    /** URIs being located at once, and answers of the domain name system that are remembered. RFC 3263. */
    lookups: 4_096,
    dnsAnswers: 4_096,
    /** Places that one URI may lead to, and records of one answer that are read. */
    destinations: 16,
    dnsRecords: 32,
    /** Start line, headers and body together: what a datagram can carry; streams get no more. */
    messageBytes: 65_535,
    headerCount: 256,
    /** One header field with its folds. */
    headerBytes: 16_384,
    /** The Request-URI. */
    uriBytes: 4_096,
    /** Values in one header field. */
    listValues: 256,
    /** Uses of digest nonces that a node remembers, a generation; a proved use each. RFC 7616 §5.4. */
    nonceCounts: 262_144,
    /** Questions to stores that wait for an answer; over it, 503. */
    pendingQuestions: 16_384,
    /** So many may wait however slow the answers come; above, none is asked while the oldest is late. */
    promptQuestions: 512,
    /** Contacts in one REGISTER, and bindings of one address-of-record. */
    contactsPerAor: 32,
    /** Path values, and bytes of one stored binding's text. */
    pathValues: 16,
    bindingText: 4_096,
    /** REGISTERs of one address-of-record that wait for the one before; over it, 503. */
    queuedRegistrations: 64,
    /** Bindings that wait to be taken out of the fabric; beyond, they stay until they expire. */
    queuedRemovals: 65_536,
    /** Source addresses whose failed passwords are counted, and users whose record is remembered. */
    failingSources: 65_536,
    rememberedSubscribers: 65_536,
    /** Wrong passwords from one address within a minute before it is answered 403 unread. */
    failuresPerSource: 20,
    /** Parameters of one header value or URI. */
    parameterCount: 64,
  },
  /** Bytes where nothing else is said. */
  reload: {
    /** Configuration documents are small; whatever is larger is an attack or a mistake. */
    documentCharacters: 1_048_576,
    documentElements: 10_000,
    documentDepth: 16,
    /** Certificates that one message's security block is read or written with. */
    certificatesInMessage: 128,
    /** Their bytes: the block's list may hold 65,535, and a message's 64 KiB have to hold more than that list. */
    certificateBytesInMessage: 32_768,
    /** Messages of which some fragments have come and some not; and the bytes of all of them together. */
    partialMessages: 256,
    partialBytes: 4_194_304,
    /** The whole message of which fragments come: far above any max-message-size. */
    reassembledMessage: 1_048_576,
    /** Each has 256 bytes at least. RFC 6940 §6.7. */
    fragmentsOfMessage: 4_096,
    /** Values that one peer holds for the fabric, removals included. */
    storedValues: 4_194_304,
    /** Removals that one record of a Kind keeps beside the values that exist. */
    removalsInRecord: 2_048,
    /** Links to other nodes, and attempts to open some, at once. */
    links: 1_024,
    linkAttempts: 256,
    /** Addresses at which other nodes are looked for. */
    contacts: 512,
    /** Requests of ours that wait for an answer. */
    pendingRequests: 65_536,
    /** Answers kept for requests that come again. */
    rememberedAnswers: 16_384,
    /** Certificates whose judgement is remembered. */
    judgedCertificates: 4_096,
    /** Verified signatures that are remembered, so that a value is verified once. */
    rememberedSignatures: 65_536,
  },
} as const
