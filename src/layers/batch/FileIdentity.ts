/** Which file it is, by whatever name: device and inode, equal for hard links too. */
import { fstatSync } from "node:fs"
import type * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"

/** `undefined` where the file system has no inodes. */
export const ofInfo = (info: FileSystem.File.Info): string | undefined =>
  Option.getOrUndefined(Option.map(info.ino, (inode) => `${info.dev}:${inode}`))

/** The file that is open as `fd`; `undefined` when that is a pipe, a terminal, a device or nothing. */
export const ofDescriptor = (fd: number): string | undefined => {
  try {
    const stat = fstatSync(fd, { bigint: true })
    return stat.isFile() ? `${stat.dev}:${stat.ino}` : undefined
  } catch {
    return undefined
  }
}
