/** Certificates made at run time (RFC 5280), so that no key is kept anywhere and no other program is needed. */
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto"
import { isIP, isIPv4 } from "node:net"

/** What an endpoint shows, in PEM. */
export interface Identity {
  readonly key: string
  /** Its certificate, then those of the authorities between it and the root. */
  readonly cert: string
}

export interface Claims {
  /** Names and addresses of the host. */
  readonly hosts: ReadonlyArray<string>
  readonly notBefore?: Date
  readonly notAfter?: Date
}

/** Whoever signs certificates. */
export interface Authority {
  /** Its own certificate, in PEM. */
  readonly cert: string
  readonly issue: (claims: Claims) => Identity
  /** An authority between this one and those that it issues to. */
  readonly delegate: (name: string) => Authority
}

/** An authority that nobody knows yet. */
export const authority = (name: string): Authority => {
  const pair = keyPair()
  return authorityOf(name, pair, certificate({ name, ...pair }, name, pair.publicKey, { isAuthority: true }), "")
}

/** An identity that vouches for itself. */
export const selfSigned = (claims: Claims): Identity => {
  const pair = keyPair()
  return identity(pair, certificate({ name: "itself", ...pair }, "itself", pair.publicKey, claims))
}

/** `chain`: the certificates that lead from it to the root, its own first, the root's left out. */
const authorityOf = (name: string, { privateKey }: KeyPair, cert: string, chain: string): Authority => ({
  cert,
  issue: (claims) => {
    const pair = keyPair()
    return identity(pair, certificate({ name, privateKey }, claims.hosts[0]!, pair.publicKey, claims) + chain)
  },
  delegate: (delegate) => {
    const pair = keyPair()
    const own = certificate({ name, privateKey }, delegate, pair.publicKey, { isAuthority: true })
    return authorityOf(delegate, pair, own, own + chain)
  }
})

interface KeyPair {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

const keyPair = (): KeyPair => generateKeyPairSync("ec", { namedCurve: "P-256" })

const identity = ({ privateKey }: KeyPair, cert: string): Identity => ({
  key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  cert
})

const certificate = (
  issuer: { readonly name: string; readonly privateKey: KeyObject },
  subject: string,
  publicKey: KeyObject,
  content: Partial<Claims> & { readonly isAuthority?: boolean }
): string => {
  const { hosts = [], notBefore = daysFromNow(-1), notAfter = daysFromNow(1), isAuthority = false } = content
  const extensions = isAuthority
    ? [critical(BASIC_CONSTRAINTS, sequence(TRUE)), critical(KEY_USAGE, der(BIT_STRING, Buffer.of(2, MAY_SIGN)))]
    : [sequence(SUBJECT_ALT_NAME, der(OCTET_STRING, sequence(...hosts.map(generalName))))]
  const signed = sequence(
    der(0xa0, der(INTEGER, Buffer.of(2))),
    // A serial number is positive and not empty.
    der(INTEGER, Buffer.concat([Buffer.of(1), randomBytes(8)])),
    ECDSA_WITH_SHA256,
    nameOf(issuer.name),
    sequence(timeOf(notBefore), timeOf(notAfter)),
    nameOf(subject),
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(...extensions))
  )
  const signature = sign("sha256", signed, issuer.privateKey)
  const whole = sequence(signed, ECDSA_WITH_SHA256, der(BIT_STRING, Buffer.of(0), signature))
  const lines = whole.toString("base64").match(/.{1,64}/g) ?? []
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n")
}

/** A value in DER (X.690): its tag, its length and its content. */
const der = (tag: number, ...content: ReadonlyArray<Buffer>): Buffer => {
  const body = Buffer.concat(content)
  if (body.length < 0x80) return Buffer.concat([Buffer.of(tag, body.length), body])
  return Buffer.concat([Buffer.of(tag, 0x82, body.length >> 8, body.length & 0xff), body])
}

const sequence = (...content: ReadonlyArray<Buffer>): Buffer => der(0x30, ...content)

const INTEGER = 0x02
const BIT_STRING = 0x03
const OCTET_STRING = 0x04
const UTC_TIME = 0x17
const TRUE = der(0x01, Buffer.of(0xff))

const objectId = (hex: string): Buffer => der(0x06, Buffer.from(hex, "hex"))
const COMMON_NAME = objectId("550403")
const SUBJECT_ALT_NAME = objectId("551d11")
const BASIC_CONSTRAINTS = objectId("551d13")
const KEY_USAGE = objectId("551d0f")
/** `keyCertSign`, the sixth bit. */
const MAY_SIGN = 0b0000_0100
const ECDSA_WITH_SHA256 = sequence(objectId("2a8648ce3d040302"))

const critical = (id: Buffer, content: Buffer): Buffer => sequence(id, TRUE, der(OCTET_STRING, content))

const nameOf = (name: string): Buffer => sequence(der(0x31, sequence(COMMON_NAME, der(0x0c, Buffer.from(name)))))

const timeOf = (date: Date): Buffer =>
  der(UTC_TIME, Buffer.from(`${date.toISOString().slice(2, 19).replace(/\D/g, "")}Z`))

const generalName = (host: string): Buffer => (isIP(host) === 0 ? der(0x82, Buffer.from(host)) : der(0x87, ipOf(host)))

const ipOf = (address: string): Buffer => {
  if (isIPv4(address)) return Buffer.from(address.split(".").map(Number))
  const [head = [], tail = []] = address.split("::").map((part) => part.split(":").filter((group) => group !== ""))
  const groups = [...head, ...Array.from({ length: 8 - head.length - tail.length }, () => "0"), ...tail]
  return Buffer.from(groups.map((group) => group.padStart(4, "0")).join(""), "hex")
}

/** A day away from now, in either direction. */
export const daysFromNow = (days: number): Date => new Date(Date.now() + days * 24 * 60 * 60 * 1_000)
