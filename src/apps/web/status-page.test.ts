import assert from "node:assert/strict"
import { createHash } from "node:crypto"
import { test } from "node:test"
import { runInNewContext } from "node:vm"
import { FakeNode } from "../../../test/support/control.ts"
import { STATUS_PAGE, STATUS_PAGE_POLICY } from "./status-page.ts"

const [, script] = /<script>([\s\S]*)<\/script>/.exec(STATUS_PAGE)!

/** As much of a browser as the page needs: elements that hold text and children. */
class Element {
  textContent = ""
  className = ""
  children: Element[] = []
  append(...children: Element[]) {
    this.children.push(...children)
  }
  replaceChildren(...children: Element[]) {
    this.children = children
  }
  get text(): string {
    return [this.textContent, ...this.children.map((child) => child.text)].filter(Boolean).join("|")
  }
}

async function browse(fetch: () => Promise<unknown>) {
  const elements = new Map<string, Element>()
  const document = {
    title: "",
    createElement: () => new Element(),
    getElementById(id: string) {
      assert.ok(STATUS_PAGE.includes(`id="${id}"`), `the page has ${id}`)
      return insert(id)
    },
  }
  const insert = (id: string) => elements.get(id) ?? elements.set(id, new Element()).get(id)!
  const { promise, resolve } = Promise.withResolvers<void>()
  runInNewContext(script!, { document, fetch, AbortSignal, setTimeout: resolve })
  await promise
  return { at: (id: string) => insert(id).text, title: document.title }
}

test("the page shows what the status says, as text", async () => {
  const status = { ...new FakeNode().status(), domain: "<b>bells" }
  const { at, title } = await browse(async () => ({ ok: true, json: async () => status }))
  assert.equal(title, "Carillon · <b>bells")
  assert.equal(at("health"), "healthy")
  assert.match(at("fabric"), /nodes living\|2.*more may die\|1.*proxy\|1\|registrar\|2/)
  assert.match(at("own"), /records held\|40\|records due\|21.*records being repaired\|3.*calls answered\|17/)
  assert.match(at("nodes"), /c0de0000\|127\.0\.0\.2:6084\|registrar/)
})

test("the page says so when its node is gone, and asks again", async () => {
  const { at } = await browse(async () => {
    throw new Error("refused")
  })
  assert.match(at("health"), /does not answer \(refused\)/)
})

test("the page's policy admits its own script", () => {
  assert.ok(STATUS_PAGE_POLICY.includes(createHash("sha256").update(script!).digest("base64")))
})
