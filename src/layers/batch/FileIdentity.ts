/** Which file it is, by whatever name: device and inode, equal for hard links too. */
import { fstatSync } from "node:fs"
import type * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"

/** `undefined` for what is no regular file, since devices and pipes may be shared; and where there are no inodes. */
export const ofInfo = (info: FileSystem.File.Info): string | undefined =>
  info.type === "File" ? Option.getOrUndefined(Option.map(info.ino, (inode) => `${info.dev}:${inode}`)) : undefined

/** The same of what is open as `fd`; `undefined` when nothing is. */
export const ofDescriptor = (fd: number): string | undefined => {
  try {
    const stat = fstatSync(fd, { bigint: true })
    return stat.isFile() ? `${stat.dev}:${stat.ino}` : undefined
  } catch {
    return undefined
  }
}
