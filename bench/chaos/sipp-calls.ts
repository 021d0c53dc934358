import { type FarmNode, PORTS } from "../../test/interop/support/farm.ts"
import { missing, type Program } from "../../test/interop/support/programs.ts"
import { answer, authentication, call, register } from "../../test/interop/support/scenarios.ts"
import { type SippRun, startSipp } from "../../test/interop/support/sipp.ts"
import type { Chaos } from "./chaos.ts"
import { PASSWORD, SIPP_USERS } from "./population.ts"

const CALLEE = ["-i", "127.0.2.3", "-p", "25060"]
const CALLER = ["-i", "127.0.2.4", "-p", "25061"]
/** How long each call stands, in milliseconds. */
const TALK = 1_000

/** Calls of a foreign program beside our own: SIPp calls SIPp, through one node, and each call stands for a second. */
export class SippCalls {
  readonly #answering: Program
  readonly #calling: ReturnType<typeof startSipp>

  /** Undefined where SIPp is not installed. */
  static async start(chaos: Chaos, node: FarmNode, rate: number): Promise<SippCalls | undefined> {
    if (missing("sipp")) {
      chaos.say("SIPp is not installed: all calls are our own")
      return undefined
    }
    const { directory, domain } = chaos.farm
    const at = `${node.host}:${PORTS.sip}`
    const line = (user: string, callee = "") => `${user};${authentication(user, PASSWORD)};${callee}`
    const registering = [at, "-m", "1", ...CALLEE]
    const registered = startSipp(directory, "register", register(domain), registering, [
      line(SIPP_USERS.callee),
    ])
    const { successful, output } = await registered.finished()
    if (successful !== 1) throw new Error(`SIPp could not register at ${node.host}: ${output}`)
    const answering = startSipp(directory, "answer", answer(0), CALLEE).program
    const args = [at, "-r", String(rate), ...CALLER]
    const calling = startSipp(directory, "call", call(domain, TALK), args, [
      line(SIPP_USERS.caller, SIPP_USERS.callee),
    ])
    return new SippCalls(answering, calling)
  }

  private constructor(answering: Program, calling: ReturnType<typeof startSipp>) {
    this.#answering = answering
    this.#calling = calling
  }

  /** Begins no call any more, and waits until those that stand are over. */
  async stop(): Promise<SippRun> {
    // SIPp ends gracefully at its first SIGUSR1.
    this.#calling.program.child.kill("SIGUSR1")
    const run = await this.#calling.finished()
    await this.#answering.stop()
    return run
  }
}
