// What others may make us hold or do, at most. One place, so that the bounds can be seen together.

export const LIMITS = {
  sip: {
    /** Parameters of one header value or URI. */
    parameterCount: 64,
  },
  /** Bytes where nothing else is said. */
  reload: {
    /** Certificates that one message's security block is read or written with. */
    certificatesInMessage: 128,
    /** Their bytes: the block's list may hold 65,535, and a message's 64 KiB have to hold more than that list. */
    certificateBytesInMessage: 32_768,
    /** Messages of which some fragments have come and some not; and the bytes of all of them together. */
    partialMessages: 256,
    partialBytes: 4_194_304,
    /** The whole message of which fragments come: far above any max-message-size. */
    reassembledMessage: 1_048_576,
    /** Values that one peer holds for the fabric, removals included. */
    storedValues: 4_194_304,
    /** Removals that one record of a Kind keeps beside the values that exist. */
    removalsInRecord: 2_048,
    /** Verified signatures that are remembered, so that a value is verified once. */
    rememberedSignatures: 65_536,
  },
} as const
