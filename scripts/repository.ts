/** Where things are in this repository, for scripts, benchmarks and tests. */

import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

function findRepository(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "osv-vm.js"))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error("this script is not inside the osv-vm repository");
    folder = parent;
  }
  return folder;
}

/** Absolute path of the repository. (The running script may be a bundle in .cache/run/.) */
export const REPOSITORY = findRepository();

/** What the build makes; not committed. */
export const DIST = join(REPOSITORY, "dist");

/** Downloads, compiled tests and benchmarks, results; not committed, may be deleted at any time. */
export const CACHE = join(REPOSITORY, ".cache");
