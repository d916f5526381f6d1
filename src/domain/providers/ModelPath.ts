/** Models as parts of paths. */

/**
 * A model's name as a path of its own: each segment escaped, its slashes kept. Segments that a server would leave out or go
 * up by (RFC 3986, 5.2.4) are escaped too, twice over: `%2E` alone is still a dot.
 */
export const modelPath = (model: string): string => model.split("/").map(segment).join("/")

const segment = (name: string): string =>
  name === "." || name === ".." ? name.replaceAll(".", "%252E") : encodeURIComponent(name)
