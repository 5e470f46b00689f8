/** Files and directories that are made once and kept, where several processes may want the same one at once. */

import { existsSync, renameSync } from "node:fs";

/** Moves what has just been made to where it is kept; if another process was first, its own stays there. */
export function keepAs(target: string, made: string): void {
  try {
    renameSync(made, target);
  } catch (error) {
    if (!existsSync(target)) throw error;
  }
}
