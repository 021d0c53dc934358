// The npm package `sip` as a registrar: what its README's examples do, with a Map for the bindings.
const [, , port, domain, mode, modules] = process.argv
const path = require("node:path")
const sip = require(path.join(modules, "sip"))
const digest = require(path.join(modules, "sip", "digest"))

const bindings = new Map()
const sessions = new Map()

sip.start({ address: "127.0.0.1", port: Number(port), tcp: false, logger: {} }, (request) => {
  if (request.method === "OPTIONS") return sip.send(sip.makeResponse(request, 200, "OK"))
  if (request.method !== "REGISTER") return sip.send(sip.makeResponse(request, 405, "Method Not Allowed"))
  const { user } = sip.parseUri(request.headers.to.uri)
  if (mode === "digest") {
    let session = sessions.get(user)
    if (session === undefined || request.headers.authorization === undefined) {
      session = { realm: domain }
      sessions.set(user, session)
      return sip.send(digest.challenge(session, sip.makeResponse(request, 401, "Unauthorized")))
    }
    if (!digest.authenticateRequest(session, request, { user, password: `secret-${user.slice(1)}` }))
      return sip.send(digest.challenge(session, sip.makeResponse(request, 401, "Unauthorized")))
  }
  const contact = request.headers.contact
  bindings.set(user, { contact, expires: Date.now() + 3_600_000 })
  const response = sip.makeResponse(request, 200, "OK")
  response.headers.contact = contact
  response.headers.to.params.tag = "t"
  sip.send(response)
})
console.log("ready for the bench")
