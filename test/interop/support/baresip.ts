import { mkdirSync, writeFileSync } from "node:fs"
import { createConnection, createServer, type Socket } from "node:net"
import { join } from "node:path"
import { Program, until } from "./programs.ts"

export interface BaresipAccount {
  readonly user: string
  readonly password: string
  readonly domain: string
  /** Where it registers, an IP address and port. */
  readonly proxy: string
  readonly transport: "udp" | "tcp" | "tls"
  /** Address that the phone itself uses. */
  readonly host: string
  /** PEM file with the root that its TLS server must show. */
  readonly caFile?: string
  readonly register?: boolean
}

export interface BaresipEvent {
  readonly type: string
  readonly param?: string
  readonly peeruri?: string
}

/** A headless baresip: a real phone, steered over its control connection. */
export class Baresip {
  readonly account: BaresipAccount
  readonly program: Program
  readonly events: BaresipEvent[] = []
  readonly #socket: Socket
  #buffer = ""
  #answers: string[] = []

  static async start(directory: string, account: BaresipAccount): Promise<Baresip> {
    const home = join(directory, `baresip-${account.user}-${account.host}-${account.transport}`)
    mkdirSync(home, { recursive: true })
    const port = await freePort(account.host)
    writeFileSync(join(home, "config"), config(home, account, port))
    writeFileSync(join(home, "accounts"), accountLine(account))
    writeFileSync(join(home, "contacts"), "")
    writeFileSync(join(home, "tone.wav"), tone())
    const program = new Program(`baresip ${account.user}`, "baresip", ["-4", "-f", home])
    await program.says(/baresip is ready/)
    const socket = await connect(account.host, port)
    return new Baresip(account, program, socket)
  }

  private constructor(account: BaresipAccount, program: Program, socket: Socket) {
    this.account = account
    this.program = program
    this.#socket = socket
    socket.setEncoding("utf8").on("data", (text: string) => this.#read(text))
    socket.on("error", () => {})
  }

  /** Runs a command of baresip's menu; gives its answer. */
  async command(command: string, params = ""): Promise<string> {
    const seen = this.#answers.length
    const body = JSON.stringify({ command, params, token: String(seen) })
    this.#socket.write(`${Buffer.byteLength(body)}:${body},`)
    return until(`baresip ${this.account.user} answers "${command}"`, () => this.#answers[seen])
  }

  /** Waits for an event of that type, counted from `from` in `events`. */
  event(type: string, from = 0, patience = 20_000): Promise<BaresipEvent> {
    return until(
      () => `baresip ${this.account.user} has event ${type}; it said:\n${this.program.output.slice(-1_500)}`,
      () => this.events.slice(from).find((event) => event.type === type),
      patience,
    )
  }

  dial(uri: string): Promise<string> {
    return this.command("dial", uri)
  }

  accept(): Promise<string> {
    return this.command("accept")
  }

  hangup(): Promise<string> {
    return this.command("hangup")
  }

  /** RTP packets received and sent in its last call, as its own RTCP summary counts them. */
  async rtpPackets(): Promise<{ readonly sent: number; readonly received: number }> {
    const [, summary] = await this.program.says(/^(EX=BareSip.*)$/m)
    const number = (key: string) => Number(summary!.match(new RegExp(`;${key}=(\\d+)`))?.[1] ?? 0)
    return { sent: number("PS"), received: number("PR") }
  }

  async stop(): Promise<void> {
    this.#socket.destroy()
    await this.program.stop("SIGTERM", 3_000)
  }

  #read(text: string): void {
    this.#buffer += text
    for (;;) {
      const match = this.#buffer.match(/^(\d+):/)
      if (match === null) return
      const start = match[0].length
      const end = start + Number(match[1])
      if (this.#buffer.length < end + 1) return
      const message = JSON.parse(this.#buffer.slice(start, end))
      this.#buffer = this.#buffer.slice(end + 1)
      if (message.event) this.events.push(message)
      else this.#answers.push(message.data ?? "")
    }
  }
}

const accountLine = ({ user, password, domain, proxy, transport, register = true }: BaresipAccount) =>
  `<sip:${user}@${domain};transport=${transport}>;auth_user=${user};auth_pass=${password}` +
  `;outbound="sip:${proxy};transport=${transport}";regint=${register ? 60 : 0};answermode=manual;audio_codecs=pcmu/8000/1\n`

const config = (
  home: string,
  { host, user, caFile }: BaresipAccount,
  controlPort: number,
) => `poll_method epoll
sip_listen ${host}:0
${caFile === undefined ? "" : `sip_cafile ${caFile}\nsip_verify_server yes\n`}call_local_timeout 60
call_max_calls 4
net_interface ${host}
audio_source aufile,${home}/tone.wav
audio_player aubridge,${user}
audio_alert aubridge,${user}-alert
ausrc_srate 8000
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
module_path /usr/lib/baresip/modules
module g711.so
module aubridge.so
module aufile.so
module_app account.so
module_app menu.so
module_app ctrl_tcp.so
module_app rtcpsummary.so
ctrl_tcp_listen ${host}:${controlPort}
`

/** Ten seconds of 440 Hz: 8 kHz, 16 bits, mono. */
function tone(): Buffer {
  const samples = 80_000
  const wav = Buffer.alloc(44 + 2 * samples)
  wav.write("RIFF", 0)
  wav.writeUInt32LE(36 + 2 * samples, 4)
  wav.write("WAVEfmt ", 8)
  wav.writeUInt32LE(16, 16)
  wav.writeUInt16LE(1, 20)
  wav.writeUInt16LE(1, 22)
  wav.writeUInt32LE(8_000, 24)
  wav.writeUInt32LE(16_000, 28)
  wav.writeUInt16LE(2, 32)
  wav.writeUInt16LE(16, 34)
  wav.write("data", 36)
  wav.writeUInt32LE(2 * samples, 40)
  for (let i = 0; i < samples; i++)
    wav.writeInt16LE(Math.round(8_000 * Math.sin((2 * Math.PI * 440 * i) / 8_000)), 44 + 2 * i)
  return wav
}

/** Below those that a kernel deals out, or the phone's own sockets might be given it before its control connection is open. */
let lastPort = 24_000

async function freePort(host: string): Promise<number> {
  for (;;) {
    const port = ++lastPort
    if (await isFree(host, port)) return port
  }
}

function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on("error", (error: NodeJS.ErrnoException) =>
      error.code === "EADDRINUSE" ? resolve(false) : reject(error),
    )
    server.listen(port, host, () => server.close(() => resolve(true)))
  })
}

function connect(host: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host, port }, () => resolve(socket))
    socket.on("error", reject)
  })
}
