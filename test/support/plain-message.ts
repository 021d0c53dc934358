import type { SipMessage } from "../../src/core/sip/message.ts"

/** A message as what it says, to be compared: how it keeps that is its own affair. */
export const plainMessage = (message: SipMessage | undefined) =>
  message && { ...message, headers: message.headers.fields }
