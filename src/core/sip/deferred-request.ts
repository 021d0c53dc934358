import type { Headers, SipRequest } from "./message.ts"
import { parseMessage } from "./parse.ts"

/**
 * A request of which few ever want to know more than its method: it is read when somebody does. `bytes` are kept until then. They must be
 * such as `parseMessage` takes; `changed` is what its header fields are to be seen as. A spread (`{ ...request }`) would lose
 * what is read later: whoever makes another request of it names the fields.
 */
export class DeferredRequest implements SipRequest {
  readonly kind = "request"
  readonly method: string
  readonly uri: string
  readonly #bytes: Uint8Array
  readonly #changed: (headers: Headers) => Headers
  #read: SipRequest | undefined

  constructor(method: string, uri: string, bytes: Uint8Array, changed: (headers: Headers) => Headers) {
    this.method = method
    this.uri = uri
    this.#bytes = bytes
    this.#changed = changed
  }

  get headers(): Headers {
    return this.#whole().headers
  }

  get body(): string {
    return this.#whole().body
  }

  /** As an ordinary one. */
  get whole(): SipRequest {
    return this.#whole()
  }

  #whole(): SipRequest {
    if (this.#read === undefined) {
      const message = parseMessage(this.#bytes) as SipRequest
      this.#read = { ...message, headers: this.#changed(message.headers) }
    }
    return this.#read
  }
}
