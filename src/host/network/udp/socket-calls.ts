import { getSystemErrorName } from "node:util"

/** What is called of the C library, and the wait for readiness. Numbers below zero are errno, negated. */
export interface SocketCalls {
  socket(family: number, type: number): number
  setOption(fd: number, level: number, name: number, value: number): number
  /** The 32-bit numbers of an option that is an array of them. */
  option(fd: number, level: number, name: number, count: number): Uint32Array | undefined
  bind(fd: number, name: Uint8Array): number
  /** Fills `name` with the address that the socket is bound to. */
  localName(fd: number, name: Uint8Array): number
  /** `vector` is the address of `count` structures mmsghdr. Answers how many datagrams came. */
  receive(fd: number, vector: bigint, count: number): number
  send(fd: number, vector: bigint, count: number): number
  close(fd: number): void
  /** Where memory that no garbage collection moves begins: of an ArrayBuffer of its own. */
  addressOf(memory: ArrayBuffer): bigint
  /** Calls `ready` from the event loop whenever the socket is; holds no thread. */
  watch(fd: number, ready: (events: { readonly writable: boolean }) => void): Watch
  interfaceIndex(name: string): number
}

export interface Watch {
  /** Wakes also where the socket takes datagrams again. */
  alsoForWriting(wanted: boolean): void
  close(): void
}

export type Loaded =
  | { readonly kind: "loaded"; readonly calls: SocketCalls }
  /** Why not, half a sentence for an operator. */
  | { readonly kind: "missing"; readonly reason: string }

/** Structures of the kernel are laid out here for these: 64 bits, little-endian, options numbered as on x86. */
const ARCHITECTURES: readonly string[] = ["x64", "arm64"]

let loading: Promise<Loaded> | undefined

/** The calls that batches need, by FFI; loaded once. Decision 12 says why so. */
export function loadSocketCalls(): Promise<Loaded> {
  loading ??= load()
  return loading
}

async function load(): Promise<Loaded> {
  const { platform, arch } = process
  if (platform !== "linux" || !ARCHITECTURES.includes(arch))
    return { kind: "missing", reason: `${platform} on ${arch} has no recvmmsg that is known here` }
  try {
    return { kind: "loaded", calls: bindCalls(await import("koffi")) }
  } catch (error) {
    const cause = (error as Error).message.split("\n")[0]
    return { kind: "missing", reason: `the optional package koffi does not load: ${cause}` }
  }
}

/** MSG_DONTWAIT: batches are taken when something is there, never waited for. */
const DONT_WAIT = 0x40

function bindCalls(koffi: typeof import("koffi")): SocketCalls {
  const library = koffi.load(null) // What the process has linked already, whichever C library it is.
  const socket = library.func("int socket(int, int, int)")
  const setsockopt = library.func("int setsockopt(int, int, int, void*, uint)")
  const getsockopt = library.func("int getsockopt(int, int, int, void*, void*)")
  const bind = library.func("int bind(int, void*, uint)")
  const getsockname = library.func("int getsockname(int, void*, void*)")
  const recvmmsg = library.func("int recvmmsg(int, void*, uint, int, void*)")
  const sendmmsg = library.func("int sendmmsg(int, void*, uint, int)")
  const close = library.func("int close(int)")
  const if_nametoindex = library.func("uint if_nametoindex(const char*)")
  const checked = (result: number) => (result < 0 ? -koffi.errno() : result)
  return {
    socket: (family, type) => checked(socket(family, type, 0)),
    setOption: (fd, level, name, value) =>
      checked(setsockopt(fd, level, name, new Uint8Array(new Int32Array([value]).buffer), 4)),
    option(fd, level, name, count) {
      const values = new Uint32Array(new ArrayBuffer(4 * count))
      const length = new Uint32Array(new ArrayBuffer(4)).fill(4 * count)
      if (getsockopt(fd, level, name, values, length) < 0) return undefined
      return values.subarray(0, length[0]! / 4)
    },
    bind: (fd, name) => checked(bind(fd, name, name.length)),
    localName: (fd, name) =>
      checked(getsockname(fd, name, new Uint32Array(new ArrayBuffer(4)).fill(name.length))),
    receive: (fd, vector, count) => checked(recvmmsg(fd, vector, count, DONT_WAIT, null)),
    send: (fd, vector, count) => checked(sendmmsg(fd, vector, count, DONT_WAIT)),
    close: (fd) => close(fd),
    addressOf: (memory) => koffi.address(new Uint8Array(memory)),
    watch(fd, ready) {
      // Its types tell of one argument; it gives two, a status and the events.
      const told = (...given: readonly unknown[]) => ready(given.at(-1) as { readonly writable: boolean })
      const handle = koffi.node.poll(fd, { readable: true }, told)
      return {
        alsoForWriting: (wanted) => handle.start({ readable: true, writable: wanted }, told),
        close: () => handle.close(),
      }
    },
    interfaceIndex: (name) => if_nametoindex(name),
  }
}

/** An error as Node's own sockets give it. */
export function systemError(errno: number, call: string): NodeJS.ErrnoException {
  const code = getSystemErrorName(errno)
  return Object.assign(new Error(`${call} ${code}`), { code, errno, syscall: call })
}
