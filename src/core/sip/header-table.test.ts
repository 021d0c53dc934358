import assert from "node:assert/strict"
import { test } from "node:test"
import { headerDefinition } from "./header-table.ts"

test("every compact form that IANA lists stands for its header, in either case", () => {
  const forms = {
    a: "Accept-Contact",
    b: "Referred-By",
    c: "Content-Type",
    d: "Request-Disposition",
    e: "Content-Encoding",
    f: "From",
    i: "Call-ID",
    j: "Reject-Contact",
    k: "Supported",
    l: "Content-Length",
    m: "Contact",
    n: "Identity-Info",
    o: "Event",
    r: "Refer-To",
    s: "Subject",
    t: "To",
    u: "Allow-Events",
    v: "Via",
    x: "Session-Expires",
    y: "Identity",
  }
  for (const [form, name] of Object.entries(forms)) {
    assert.equal(headerDefinition(form)?.name, name)
    assert.equal(headerDefinition(form.toUpperCase())?.name, name)
    assert.equal(headerDefinition(name.toLowerCase())?.name, name)
  }
  assert.equal(headerDefinition("g"), undefined)
})
