import type { WantedWay } from "../kit/interface.ts"
import { openBatchedDatagrams } from "./udp/batched.ts"
import { openPlainDatagrams } from "./udp/plain.ts"
import { loadSocketCalls } from "./udp/socket-calls.ts"
import type { DatagramSettings, DatagramTransport } from "./udp/transport.ts"

export type { DatagramSettings, DatagramTransport } from "./udp/transport.ts"

/**
 * Opens UDP the fastest way there is: several datagrams for one call of the kernel, or else the platform's
 * own sockets. Throws `PortTakenError` or `ListenError`.
 */
export async function openDatagrams(
  settings: DatagramSettings,
  wanted: WantedWay = "auto",
): Promise<DatagramTransport> {
  if (wanted === "plain") return openPlainDatagrams(settings, "as the settings want it")
  const loaded = await loadSocketCalls()
  return loaded.kind === "loaded"
    ? openBatchedDatagrams(settings, loaded.calls)
    : openPlainDatagrams(settings, loaded.reason)
}
