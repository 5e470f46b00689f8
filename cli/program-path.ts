/** From a program's name on the command line to a file: in the guest's root, or else on the host. */

import { accessSync, constants, realpathSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { ENOENT, Errno } from "../kernel/errno.ts";
import { S_IFDIR } from "../kernel/vfs/inode.ts";
import type { MountTable } from "../kernel/vfs/mount-table.ts";
import type { Path } from "../kernel/vfs/path.ts";

/** As Debian's login sets it for root. */
export const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Undefined if there is no such file; anything else that is wrong with the name is for the loader to say. */
function find(mounts: MountTable, name: string, base: Path): Path | Errno | undefined {
  try {
    return mounts.resolve(undefined, name, { base });
  } catch (error) {
    if (!(error instanceof Errno)) throw error;
    return error.errno === ENOENT ? undefined : error;
  }
}

/**
 * Finds a program in the guest as execvp(3) does: a name with a slash is a path; any other is looked for in PATH, where
 * files that cannot be executed are passed over if a later one can.
 * @returns the path to execute, or undefined if there is no such file
 */
export function findInGuest(
  mounts: MountTable,
  name: string,
  base: Path,
  searchPath: string,
): string | undefined {
  if (name.includes("/")) return find(mounts, name, base) === undefined ? undefined : name;
  let denied: string | undefined;
  for (const folder of searchPath.split(":")) {
    const candidate = `${folder === "" ? "." : folder}/${name}`;
    const found = find(mounts, candidate, base);
    if (found === undefined || found instanceof Errno || found.inode.type === S_IFDIR) continue;
    if ((found.inode.stat().mode & 0o111) !== 0) return candidate;
    denied ??= candidate;
  }
  return denied;
}

/** The absolute path of a file of the host that a name with a slash means; undefined if there is none. */
export function findOnHost(name: string): string | undefined {
  if (!name.includes("/")) return undefined;
  try {
    const path = realpathSync(resolve(name));
    if (!statSync(path).isFile()) return undefined;
    accessSync(path, constants.R_OK);
    return path;
  } catch {
    return undefined;
  }
}
