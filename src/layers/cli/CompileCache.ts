/** Where Node keeps what it has compiled of the tool, for the next start. */
import * as Module from "node:module"
import * as path from "node:path"

type Environment = Readonly<Record<string, string | undefined>>

/**
 * A folder of the user's own: `XDG_CACHE_HOME`, or `.cache` at home; `undefined` when there is neither.
 *
 * Not Node's default among the temporary files: what is in there is run, and others may have put it there.
 */
export const cacheFolder = (environment: Environment): string | undefined => {
  const { HOME, USERPROFILE, XDG_CACHE_HOME } = environment
  const home = HOME || USERPROFILE
  const caches = [XDG_CACHE_HOME, home === undefined ? undefined : path.join(home, ".cache")]
  const folder = caches.find((folder) => folder !== undefined && path.isAbsolute(folder))
  return folder === undefined ? undefined : path.join(folder, "genai-dispatcher")
}

/**
 * Has Node keep what it compiles from now on: the first request of a run leaves a fifth sooner at the next start.
 *
 * Where that cannot be, nothing is kept. `NODE_COMPILE_CACHE=FOLDER` puts it elsewhere, `NODE_DISABLE_COMPILE_CACHE=1` nowhere.
 */
export const keepCompiled = (environment: Environment): void => {
  const folder = cacheFolder(environment)
  if (folder !== undefined) Module.enableCompileCache(folder)
}
