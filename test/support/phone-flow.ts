import type { Flow } from "../../src/core/sip/transport.ts"

/** Over which a phone's datagrams come that is `remote`, to a node that is `local`; both at port 5060. */
export const phoneFlow = (remote: string, local: string): Flow => ({
  transport: "UDP",
  local: { host: local, port: 5060 },
  remote: { host: remote, port: 5060 },
  connection: undefined,
  node: undefined,
})
