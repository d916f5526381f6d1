/** nginx as the endpoint: it costs so little that what is measured is the client. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { authority } from "../../test/layers/transport/certificates.ts"

/** About 450 bytes. */
export const ANSWER = JSON.stringify({
  id: "chatcmpl-1",
  object: "chat.completion",
  created: 1,
  model: "model-1",
  choices: [{ index: 0, message: { role: "assistant", content: "word ".repeat(50) }, finish_reason: "stop" }],
  usage: { prompt_tokens: 60, completion_tokens: 50, total_tokens: 110 }
})

const configOf = (folder: string, port: number, securePort: number) => `
worker_processes 1;
daemon off;
pid ${folder}/pid;
error_log ${folder}/error.log crit;
events { worker_connections 8192; }
http {
  access_log off;
  keepalive_requests 100000000;
  keepalive_timeout 300;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    listen 127.0.0.1:${securePort} ssl backlog=4096;
    ssl_certificate ${folder}/certificate.pem;
    ssl_certificate_key ${folder}/key.pem;
    location /plain/ { default_type application/json; return 200 '${ANSWER}'; }
  }
}`

export interface Nginx {
  readonly context: {
    /** Below it every POST gets the same answer. */
    readonly url: string
    /** The same over TLS. */
    readonly secureUrl: string
    /** Who is to be trusted for that, as PEM. */
    readonly certificate: string
  }
  readonly close: () => Promise<void>
}

/** What a benchmark has as its `setup` that needs nothing else. */
export const startNginx = async (): Promise<Nginx> => {
  const folder = await mkdtemp(join(tmpdir(), "nginx-"))
  // The workers of a root's nginx are nobody.
  await chmod(folder, 0o755)
  const [port, securePort] = [await freePort(), await freePort()]
  const root = authority("benchmark")
  const { cert, key } = root.issue({ hosts: ["127.0.0.1"] })
  await writeFile(join(folder, "certificate.pem"), cert)
  await writeFile(join(folder, "key.pem"), key)
  await writeFile(join(folder, "nginx.conf"), configOf(folder, port, securePort))
  const child = spawn("nginx", ["-c", join(folder, "nginx.conf"), "-p", folder], { stdio: "ignore" })
  const ended = once(child, "close")
  await untilAnswered(`http://127.0.0.1:${port}/plain/`)
  return {
    context: {
      url: `http://127.0.0.1:${port}/plain/v1`,
      secureUrl: `https://127.0.0.1:${securePort}/plain/v1`,
      certificate: root.cert
    },
    close: async () => {
      child.kill("SIGTERM")
      await ended
      await rm(folder, { recursive: true, force: true })
    }
  }
}

export const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  server.close()
  await once(server, "close")
  if (typeof address !== "object" || address === null) throw new Error("no port")
  return address.port
}

/** Asks until somebody answers, for at most 10 seconds. */
export const untilAnswered = async (url: string): Promise<void> => {
  for (let attempt = 0; ; attempt++) {
    const isUp = await fetch(url).then(
      () => true,
      () => false
    )
    if (isUp) return
    if (attempt === 200) throw new Error(`${url} does not answer`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
