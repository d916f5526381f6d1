/** nginx as the endpoint: it costs so little that what is measured is the client. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"

const chunk = (delta: object, finishReason: string | null) =>
  `data: ${JSON.stringify({
    id: "chatcmpl-1",
    object: "chat.completion.chunk",
    created: 1,
    model: "model-1",
    choices: [{ index: 0, delta, finish_reason: finishReason }]
  })}\n\n`

/** Events of a streamed answer before its last two. */
export const STREAMED_EVENTS = 1_000

const STREAM = `${chunk({ content: "word " }, null).repeat(STREAMED_EVENTS)}${chunk({}, "stop")}data: [DONE]\n\n`

/** Of one event, on average: how many have come can be told from the bytes that have. */
export const BYTES_PER_EVENT = STREAM.length / (STREAMED_EVENTS + 2)

/** About 450 bytes. */
const ANSWER = JSON.stringify({
  id: "chatcmpl-1",
  object: "chat.completion",
  created: 1,
  model: "model-1",
  choices: [{ index: 0, message: { role: "assistant", content: "word ".repeat(50) }, finish_reason: "stop" }],
  usage: { prompt_tokens: 60, completion_tokens: 50, total_tokens: 110 }
})

const configOf = (folder: string, port: number) => `
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
    location /plain/ { default_type application/json; return 200 '${ANSWER}'; }
    location /stream/ { error_page 405 =200 /events; root ${folder}; try_files /events =404; }
    location = /events { default_type text/event-stream; root ${folder}; }
  }
}`

export interface Nginx {
  /** Answers every POST below with the same answer. */
  readonly plainUrl: string
  /** The same, streamed, as fast as it can. */
  readonly streamUrl: string
  readonly close: () => Promise<void>
}

export const startNginx = async (): Promise<Nginx> => {
  const folder = await mkdtemp(join(tmpdir(), "nginx-"))
  // The workers of a root's nginx are nobody.
  await chmod(folder, 0o755)
  const port = await freePort()
  await writeFile(join(folder, "events"), STREAM)
  await writeFile(join(folder, "nginx.conf"), configOf(folder, port))
  const child = spawn("nginx", ["-c", join(folder, "nginx.conf"), "-p", folder], { stdio: "ignore" })
  const ended = once(child, "close")
  await untilAnswered(`http://127.0.0.1:${port}/plain/`)
  return {
    plainUrl: `http://127.0.0.1:${port}/plain/v1`,
    streamUrl: `http://127.0.0.1:${port}/stream/v1`,
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
