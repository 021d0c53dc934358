import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { Farm, statusOf } from "../../../test/support/sip-farm.ts"
import { LIMITS } from "../kit/limits.ts"
import { after, type Instant, seconds } from "../kit/time.ts"
import { Questions } from "./questions.ts"

const START = 1_700_000_000_000 as Instant

describe("questions to the fabric", () => {
  const ask = (questions: Questions, now: Instant) => {
    const heard: string[] = []
    questions.findSubscriber("alice@example.org", now, (result) => {
      heard.push(result.kind)
      return []
    })
    return heard
  }
  const asking = (count: number) => {
    let ticket = 0
    const questions = new Questions(() => ++ticket)
    for (let i = 0; i < count; i++) assert.deepEqual(ask(questions, START), [])
    return questions
  }
  const { promptQuestions, pendingQuestions } = LIMITS.sip

  test("are refused at once where many wait and the oldest is late, and asked again when it has its answer", () => {
    const questions = asking(promptQuestions)
    const late = after(START, seconds(1))
    assert.deepEqual(ask(questions, (late - 1) as Instant), [], "not late yet")
    assert.deepEqual(ask(questions, late), ["unavailable"])
    const result = { kind: "absent" } as const
    for (let ticket = 1; ticket <= 10; ticket++)
      questions.answer({ kind: "subscriber-found", ticket, result }, late)
    assert.deepEqual(ask(questions, late), [], "fewer wait")
  })

  test("are asked where few wait, however long: one peer may be about to be found dead", () => {
    const questions = asking(promptQuestions - 1)
    assert.deepEqual(ask(questions, after(START, seconds(4))), [])
  })

  test("are refused where too many wait, however prompt the answers", () => {
    assert.deepEqual(ask(asking(pendingQuestions), START), ["unavailable"])
  })
})

test("registrations whose connections break together are taken out a few at a time, and all in the end", () => {
  const farm = new Farm(1)
  const [node] = farm.nodes
  const users = Array.from({ length: 100 }, (_, index) => `user${index}`)
  const phones = users.map((user, index) => {
    farm.addUser(user, "secret")
    const phone = farm.phone(user, "TCP", "192.0.2.1", 40_000 + index)
    assert.equal(statusOf(phone.register(node!)), 200)
    return phone
  })
  for (const phone of phones) phone.hangUpConnection(node!)
  farm.storeFault = "silent"
  node!.effects.length = 0
  farm.advance(5_000)
  assert.equal(node!.effects.filter(({ kind }) => kind === "find-bindings").length, 16)
  farm.storeFault = undefined
  farm.advance(10_000)
  const left = [...farm.bindings.values()].flatMap((entries) =>
    [...entries.values()].flatMap(({ bindings }) => bindings),
  )
  assert.equal(left.length, 16, "those that the fabric did not answer for stay until they expire")
})
