/** What transports promise of the certificates that they are shown. */
import { networkInterfaces } from "node:os"
import * as Tls from "node:tls"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { Transport } from "../../../src/services/Transport.ts"
import { type Authority, authority, daysFromNow, type Identity, selfSigned } from "./certificates.ts"
import { countSends, request } from "./conformance.ts"
import type { TlsSuite } from "./tls.ts"
import { tlsServer } from "./tlsServers.ts"
import { whole } from "./ways.ts"

export const tlsCertificates = ({ layer, live, trusted }: TlsSuite) => {
  live(
    "names the host that it asks for, and no host when it has an address",
    Effect.gen(function* () {
      const stranger = trusted.issue({ hosts: ["stranger.example", "127.0.0.1"] })
      const identity = trusted.issue({ hosts: ["localhost"] })
      const server = yield* tlsServer(stranger, (socket) => socket.end(OK), {
        // Whoever does not say that it wants `localhost` is shown another certificate.
        SNICallback: (servername, callback) =>
          callback(null, Tls.createSecureContext(servername === "localhost" ? identity : stranger))
      })
      assert.strictEqual(yield* whole(request(server.origin)), "ok")
      assert.strictEqual(yield* whole(request(server.originAt("127.0.0.1"))), "ok")
      assert.deepStrictEqual(
        server.handshakes.map(({ servername }) => servername),
        ["localhost", false]
      )
    })
  )

  it.live.skipIf(!hasIPv6())("speaks to an IPv6 address whose certificate has it", () =>
    Effect.gen(function* () {
      const server = yield* tlsServer(trusted.issue({ hosts: ["::1"] }), (socket) => socket.end(OK), { address: "::1" })
      assert.strictEqual(yield* whole(request(server.originAt("[::1]"))), "ok")
      assert.deepStrictEqual(
        server.handshakes.map(({ servername }) => servername),
        [false]
      )
    }).pipe(Effect.provide(layer))
  )

  live(
    "trusts a certificate through an authority between it and the root",
    Effect.gen(function* () {
      const identity = trusted.delegate("between").issue({ hosts: ["localhost"] })
      const server = yield* tlsServer(identity, (socket) => socket.end(OK))
      assert.strictEqual(yield* whole(request(server.origin)), "ok")
    })
  )

  const between = trusted.delegate("kept back").issue({ hosts: ["localhost"] })
  const refused: ReadonlyArray<[what: string, code: string, shown: Identity, host?: string]> = [
    ["that vouches for itself", "DEPTH_ZERO_SELF_SIGNED_CERT", selfSigned({ hosts: ["localhost"] })],
    [
      "of an unknown authority",
      "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
      authority("unknown").issue({ hosts: ["localhost"] })
    ],
    [
      "of an authority that has only the name of a known one",
      "CERT_SIGNATURE_FAILURE",
      authority("trusted").issue({ hosts: ["localhost"] })
    ],
    [
      "of an unknown authority that is sent along",
      "SELF_SIGNED_CERT_IN_CHAIN",
      withRoot(authority("unknown"), ["localhost"])
    ],
    [
      "that comes without the authority between it and the root",
      "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
      { ...between, cert: between.cert.slice(0, between.cert.indexOf(END) + END.length) }
    ],
    [
      "that has expired",
      "CERT_HAS_EXPIRED",
      trusted.issue({ hosts: ["localhost"], notBefore: daysFromNow(-2), notAfter: daysFromNow(-1) })
    ],
    [
      "that is not valid yet",
      "CERT_NOT_YET_VALID",
      trusted.issue({ hosts: ["localhost"], notBefore: daysFromNow(1), notAfter: daysFromNow(2) })
    ],
    ["for another name", "ERR_TLS_CERT_ALTNAME_INVALID", trusted.issue({ hosts: ["stranger.example"] })],
    [
      "for the name and not the address",
      "ERR_TLS_CERT_ALTNAME_INVALID",
      trusted.issue({ hosts: ["localhost"] }),
      "127.0.0.1"
    ],
    ["for the address and not the name", "ERR_TLS_CERT_ALTNAME_INVALID", trusted.issue({ hosts: ["127.0.0.1"] })]
  ]
  for (const [what, code, shown, host = "localhost"] of refused) {
    live(
      `refuses a certificate ${what}, says what to check, and sends nothing`,
      Effect.gen(function* () {
        const { listener, sends } = countSends()
        let received = 0
        const server = yield* tlsServer(shown, () => received++)
        const wire = request(server.originAt(host))
        const transport = yield* Transport
        for (const error of [
          yield* Effect.flip(transport.send(wire, listener)),
          yield* Effect.flip(Effect.scoped(transport.open(wire, listener)))
        ]) {
          assert.deepStrictEqual([error.phase, error.code], ["connection", code])
          for (const part of [wire.origin, code, "certificate"]) assert.include(error.message, part)
        }
        yield* server.allClosed
        assert.deepStrictEqual([sends(), received], [0, 0])
      })
    )
  }
}

const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"

const END = "-----END CERTIFICATE-----\n"

/** An identity that brings its root along. */
const withRoot = (root: Authority, hosts: ReadonlyArray<string>): Identity => {
  const { key, cert } = root.issue({ hosts })
  return { key, cert: cert + root.cert }
}

function hasIPv6(): boolean {
  return Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ address }) => address === "::1"))
}
