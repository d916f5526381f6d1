import { once } from "node:events"
import * as Http from "node:http"
import * as Net from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Prng } from "../../../src/domain/sandbox/Prng.ts"
import { AnswerParser } from "../../../src/layers/transport/AnswerParser.ts"

interface Told {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

const MAX_BODY_BYTES = 100_000

/** What the parser makes of an answer that comes in these reads, and then the end of the connection. */
const parse = (reads: Iterable<Buffer>): Told | string => {
  const parser = new AnswerParser(MAX_BODY_BYTES)
  let head: Pick<Told, "status" | "headers"> | undefined
  const pieces: Array<Buffer> = []
  const sink = {
    onHead(status: number, headers: Readonly<Record<string, string>>) {
      head = { status, headers }
    },
    onBody(bytes: Buffer, from: number, to: number, isLast: boolean) {
      assert.isBelow(from, to, "no empty pieces")
      assert.strictEqual(isLast, parser.isWhole)
      pieces.push(Buffer.from(bytes.subarray(from, to)))
    }
  }
  for (const read of reads) {
    // A buffer that is larger than what was read, as of a socket, and that holds something else afterwards.
    const room = Buffer.concat([read, Buffer.from("HTTP/1.1 500\r\n\r\n")])
    parser.read(room, read.length, sink)
    room.fill("x")
    if (parser.problem !== undefined) return parser.problem.code
    if (parser.isWhole) break
  }
  if (!parser.end() || head === undefined) return "incomplete"
  return { ...head, body: Buffer.concat(pieces).toString("latin1") }
}

const whole = (answer: string) => parse([Buffer.from(answer, "latin1")])
const cut = function* (answer: string, sizes: () => number): Iterable<Buffer> {
  for (let at = 0; at < answer.length; ) {
    const size = sizes()
    yield Buffer.from(answer.slice(at, at + size), "latin1")
    at += size
  }
}

/** How many bytes are the answer's. */
const lengthOf = (answer: string): number => {
  let bytes = 0
  const counted = function* () {
    for (const read of cut(answer, () => 1)) {
      bytes++
      yield read
    }
  }
  parse(counted())
  return bytes
}

const ANSWERS: ReadonlyArray<string> = [
  `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nContent-Length: 11\r\nx-a: 1\r\nx-a: 2\r\n\r\n{"a":"\xc3\xa9"}\n`,
  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n \r\n00A;a=b\r\n0123456789\r\n0\r\nx-sum: 1\r\n\r\n",
  `HTTP/1.1 200\r\ntransfer-encoding: Chunked\r\nconnection: close\r\n\r\n${"50\r\n".padEnd(4 + 0x50, "y")}\r\n0\r\n\r\n`,
  "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\ncontent-length: 4\r\n\r\nslow",
  "\r\nHTTP/1.0 200 OK\r\nserver:  a b \t\r\nempty:\r\n\r\nuntil the end\r\n\r\n",
  "HTTP/1.1 204 No Content\r\nkeep-alive: timeout=5\r\n\r\n",
  "HTTP/1.1 304 Not Modified\r\ncontent-length: 10\r\n\r\n",
  "HTTP/1.1 500 Internal\r\ncontent-length: 0\r\n\r\n"
]

describe("AnswerParser", () => {
  it("makes the same of an answer however it is cut", () => {
    for (const answer of ANSWERS) {
      const told = whole(answer)
      assert.isObject(told, answer)
      assert.deepStrictEqual(parse(cut(answer, () => 1)), told)
      for (let at = 1; at < answer.length; at++) {
        let size = at
        const sizes = () => {
          const now = size
          size = answer.length
          return now
        }
        assert.deepStrictEqual(parse(cut(answer, sizes)), told, `cut at ${at}: ${answer}`)
      }
    }
  })

  it("reads one answer after another, whatever the length of their heads", () => {
    const parser = new AnswerParser(MAX_BODY_BYTES)
    for (const length of [10, 11, 5_000, 2, 60_000, 100]) {
      const value = "v".repeat(length)
      const told: Array<string | undefined> = []
      const answer = Buffer.from(`HTTP/1.1 200 OK\r\ncontent-length: 3\r\nx-a: ${value}\r\n\r\n\r\n!`)
      parser.next()
      parser.read(answer, answer.length, {
        onHead: (_status, headers) => void told.push(headers["x-a"]),
        onBody: (bytes, from, to) => void told.push(bytes.toString("latin1", from, to))
      })
      assert.deepStrictEqual([parser.problem, parser.isWhole, told], [undefined, true, [value, "\r\n!"]])
    }
  })

  it("knows headers by their names, whatever came after them in earlier answers", () => {
    const heads: ReadonlyArray<ReadonlyArray<string>> = [
      ["x-a: 1", "x-b: 2", "x-ab: 3"],
      ["x-a: 1", "x-bc: 2", "x-b: 3"],
      ["x-a: 1", "X-B: 2", "x-b : 3"],
      ["x-ab: 1", "x-a: 2", "x-b:3"],
      ["x-a: 1", "x-b"],
      ["x-b: x-a: 1", "x-a:"],
      ["x-a: 1", "x-b: 2", "x-ab: 3"]
    ]
    const told = heads.map((lines) => whole(`HTTP/1.1 200 OK\r\ncontent-length: 0\r\n${lines.join("\r\n")}\r\n\r\n`))
    assert.deepStrictEqual(
      told.map((answer) => (typeof answer === "string" ? answer : Object.entries(answer.headers).slice(1).join(" "))),
      [
        "x-a,1 x-b,2 x-ab,3",
        "x-a,1 x-bc,2 x-b,3",
        "INVALID_ANSWER",
        "x-ab,1 x-a,2 x-b,3",
        "INVALID_ANSWER",
        "x-b,x-a: 1 x-a,",
        "x-a,1 x-b,2 x-ab,3"
      ]
    )
  })

  it("takes nothing that Node's own parser refuses, and makes the same of what both take", async () => {
    const random = new Prng(7, 0)
    const pick = <T>(of: ReadonlyArray<T>): T => of[Math.floor(random.uniform() * of.length)]!
    const server = await nodeReader()
    let taken = 0
    try {
      for (let i = 0; i < 3_000; i++) {
        const answer = mutated(pick(ANSWERS), pick, random)
        const told = whole(answer)
        const cutTold = parse(cut(answer, () => 1 + Math.floor(random.uniform() * 20)))
        assert.deepStrictEqual(cutTold, told, JSON.stringify(answer))
        if (typeof told === "string") continue
        // Node's takes what follows the answer for a wrong one, and reads extensions and trailers, which are passed over here.
        const own = answer.slice(0, lengthOf(answer))
        if (EXTENSION.test(own) || TRAILERS.test(own)) continue
        taken++
        assert.deepStrictEqual(await server.read(own), told, JSON.stringify(own))
      }
      assert.isAbove(taken, 300, "that many are still valid")
    } finally {
      await server.close()
    }
  }, 60_000)
})

const EXTENSION = /\r\n[0-9a-f]+;(?!a=b\r\n)/i
const TRAILERS = /\r\n0+(?:;.*)?\r\n.+\r\n\r\n$/s

const PIECES = [
  "\r",
  "\n",
  "\r\n",
  "\r\n\r\n",
  ":",
  " ",
  "\t",
  "0",
  "1",
  "A",
  "\0",
  "\x7f",
  "\xff",
  ";",
  ",",
  "-"
].concat(
  ["content-length: 3\r\n", "transfer-encoding: chunked\r\n", "transfer-encoding: gzip\r\n", "connection: close\r\n"],
  ["HTTP/1.1 200 OK\r\n", "HTTP/1.0", "HTTP/2 ", "x", "é: 1\r\n", "+", "0x", "\x0b"]
)

/** The answer with one to three places that are something else. */
const mutated = (answer: string, pick: <T>(of: ReadonlyArray<T>) => T, random: Prng): string => {
  let now = answer
  for (let left = pick([1, 1, 2, 3]); left > 0; left--) {
    const at = Math.floor(random.uniform() * now.length)
    now = `${now.slice(0, at)}${pick(["", ...PIECES])}${now.slice(at + pick([0, 0, 1, 2]))}`
  }
  return now
}

/** Node's HTTP client, which has another parser. */
const nodeReader = async () => {
  let answer = ""
  const server = Net.createServer((socket) => {
    socket.on("error", () => {}).once("data", () => socket.end(answer, "latin1"))
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  const port = typeof address === "object" ? address?.port : undefined
  return {
    read: (raw: string): Promise<Told | string> => {
      answer = raw
      return new Promise((resolve) => {
        const request = Http.request({ host: "127.0.0.1", port, method: "POST", agent: false }, (response) => {
          const headers: Record<string, string> = {}
          for (let at = 0; at < response.rawHeaders.length; at += 2) {
            headers[response.rawHeaders[at]!.toLowerCase()] = response.rawHeaders[at + 1]!
          }
          let body = ""
          response
            .setEncoding("latin1")
            .on("data", (text: string) => {
              body += text
            })
            .on("end", () => resolve({ status: response.statusCode ?? 0, headers, body }))
            .on("error", (error) => resolve(error.message))
        })
        request.on("error", (error) => resolve(error.message)).end()
      })
    },
    close: () => new Promise<void>((resolve) => server.close(() => resolve()))
  }
}
